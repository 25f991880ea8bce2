/** Clocks that count on by whole seconds, and times in the reader's own zone. */
import { clock, leftWords, when } from "./words.js"

export function tick() {
  const now = Date.now()
  if (document.body.dataset.conn !== "stale" && document.body.dataset.conn !== "offline") count(now)
  for (const time of document.querySelectorAll("time[data-when]"))
    set(time, when(new Date(time.dateTime), new Date(now)))
}

/** Not called while the connection is down: no clock counts on if its run may have ended. */
function count(now) {
  for (const since of document.querySelectorAll("[data-since]"))
    set(since, clock((now - Date.parse(since.dataset.since)) / 1000))
  for (const until of document.querySelectorAll("[data-until]")) {
    const left = (Date.parse(until.dataset.until) - now) / 1000
    set(until, left > 0 ? `in ${clock(left)}` : "now")
  }
  for (const words of document.querySelectorAll("[data-left]"))
    set(words, leftWords((now - Date.parse(words.dataset.left)) / 1000, share(words), usual(words)))
}

/** What such runs usually take, in seconds, if the server knows it. */
function usual(element) {
  return element.dataset.usual ? element.dataset.usual.split(" ").map(Number) : null
}

/** The fraction of the work that is done, for the run that an element belongs to. */
function share(element) {
  const number = element.closest(".hero")?.querySelector("[data-number]")
  if (number) return Number(number.textContent) / 100
  const bar = element.closest("[data-task]")?.querySelector("progress[data-state=PROGRESS][value]")
  return bar ? bar.value / bar.max : 0
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text
}
