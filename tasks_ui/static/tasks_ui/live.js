/**
 * Live pages. A page says what it shows: [data-live="mine"] (all of one's tasks) or [data-live="tasks"] with a
 * [data-watch] for each task. Progress frames move bars and numbers at once; after a durable event the page asks the
 * server for its newer rendering and takes over what differs, so that HTML is written in one place only.
 */
import { Feed } from "./socket.js"
import { morph } from "./morph.js"
import { leftWords } from "./left.js"
import { countUnseen, onEnd } from "./toasts.js"
import { describeConnection, announce } from "./say.js"

const REFRESH_MIN_MS = 120
const REFRESH_MAX_MS = 2000
const REFRESH_SHARE = 4 // of the time, at most a fourth is spent on asking, so that a slow server is asked less often
const FRESH_AT_ONCE = 5
const ACTIVE = new Set(["PENDING", "STARTED", "PROGRESS", "RETRY", "CANCELLING"])

const root = () => document.querySelector("[data-live]")
let feed
let refreshTimer = 0
let refreshing = null
let refreshedAt = 0
let tookMs = REFRESH_MIN_MS

export function start() {
  feed = new Feed({ onFrame, onStatus: (status, seconds) => describeConnection(status, seconds, Boolean(root())), onPoll })
  feed.watchMine()
  follow()
  setInterval(tick, 1000)
  tick()
}

/** A page that shows nothing live asks only whether the server is there. */
async function onPoll() {
  if (root()) return refresh()
  const answer = await fetch("/health/live", { cache: "no-store" })
  if (!answer.ok) throw new Error(answer.status)
}

/** Watch what the page now shows, and no more what it showed. */
function follow() {
  const wanted = new Map()
  for (const mark of document.querySelectorAll("[data-watch]")) wanted.set(mark.dataset.watch, Number(mark.dataset.seq))
  for (const id of feed.watched) if (!wanted.has(id)) feed.unwatch(id)
  for (const [id, seq] of wanted) feed.watch(id, seq)
}

function onFrame(frame) {
  onEnd(frame).catch(() => {})
  if (!concerns(frame)) return
  switch (frame.type) {
    case "progress":
      return move(frame)
    case "event":
      announce(frame)
      if (frame.data.parent_current !== undefined) movePercent(frame.task_id, frame.data.parent_current, 100, frame.data.attempt)
      if (!isOnlyMovement(frame)) soon()
      return
    case "snapshot":
    case "revoked":
    case "resync_required":
      return soon()
  }
}

/** A page on certain tasks takes no notice of others; on the list all of one's tasks are news. */
function concerns(frame) {
  const live = root()?.dataset.live
  return live === "mine" || (live === "tasks" && (!frame.task_id || feed.watched.includes(frame.task_id) || isDrawn(frame.task_id)))
}

function isDrawn(id) {
  return document.querySelector(`[data-task="${CSS.escape(id)}"]`) !== null
}

/** On the list of runs a child's own change is only movement of its parent. */
function isOnlyMovement(frame) {
  return root().dataset.live === "mine" && frame.event.startsWith("child.")
}

function move(frame) {
  movePercent(frame.task_id, frame.current, frame.total, frame.attempt, frame.message)
}

export function movePercent(id, current, total, attempt, message) {
  for (const bar of document.querySelectorAll(`progress[data-bar="${CSS.escape(id)}"]`)) {
    const row = bar.closest("[data-task]")
    if (!ACTIVE.has(bar.dataset.state) || (attempt && attempt < Number(row.dataset.attempt))) continue
    if (bar.dataset.state !== "PROGRESS" && bar.dataset.state !== "STARTED") continue
    if (bar.hasAttribute("value") && bar.dataset.state === "PROGRESS" && current / total < bar.value / bar.max) continue
    bar.max = Math.max(1, total)
    bar.value = Math.min(current, total)
    if (bar.dataset.state === "STARTED") turnRunning(bar, row)
    say(row, current, total, message)
    moveStage(row)
  }
  for (const number of document.querySelectorAll(`[data-percent-of="${CSS.escape(id)}"]`)) {
    const percent = Math.min(99, Math.floor((100 * current) / Math.max(1, total)))
    if (percent > Number(number.textContent)) {
      number.textContent = percent
      document.title = document.title.replace(/^(\d+ % )?/, `${percent} % `)
    }
  }
}

/** The first number of a run that was counting: it runs now. */
function turnRunning(bar, row) {
  bar.dataset.state = "PROGRESS"
  if (row.dataset.state !== "STARTED") return
  row.dataset.state = "PROGRESS"
  const glyph = row.querySelector(".glyph")
  const use = glyph?.querySelector("use")
  use?.setAttribute("href", use.getAttribute("href").replace("#STARTED", "#PROGRESS"))
  glyph?.setAttribute("aria-label", "Running")
}

function say(row, current, total, message) {
  const unit = row.querySelector("[data-unit]")
  if (unit) unit.textContent = `${current.toLocaleString("en")} of ${total.toLocaleString("en")}`
  const percent = row.querySelector("[data-percent]")
  if (percent) percent.textContent = `${Math.min(99, Math.floor((100 * current) / Math.max(1, total)))}\u00a0%`
  const line = row.querySelector("[data-message]")
  if (line && message) line.textContent = message
}

/** A stage's bar is the weighted sum of its lanes. */
function moveStage(row) {
  const name = row.dataset.stageOf
  const stage = name && document.querySelector(`[data-stage-bar="${CSS.escape(name)}"]`)
  if (!stage || stage.dataset.state !== "PROGRESS") return
  let done = 0
  let whole = 0
  for (const lane of document.querySelectorAll(`[data-stage-of="${CSS.escape(name)}"]`)) {
    const bar = lane.querySelector("progress")
    const weight = Number(lane.dataset.weight)
    whole += weight
    done += weight * (!bar || !ACTIVE.has(bar.dataset.state) ? 1 : bar.hasAttribute("value") ? bar.value / bar.max : 0)
  }
  const percent = Math.min(99, Math.floor((100 * done) / (whole || 1)))
  if (percent > stage.value) stage.value = percent
}

function soon() {
  if (refreshTimer) return
  const pause = Math.min(REFRESH_MAX_MS, Math.max(REFRESH_MIN_MS, REFRESH_SHARE * tookMs))
  const wait = Math.max(30, pause - (Date.now() - refreshedAt))
  refreshTimer = setTimeout(() => {
    refreshTimer = 0
    if (refreshing) return soon() // what is on its way may be older than this event
    refresh().catch(() => soon())
  }, wait)
}

/** Take over the server's newer rendering of this page. Rejects when the server can't be reached. */
export async function refresh() {
  if (refreshing) return refreshing
  refreshing = read().finally(() => (refreshing = null))
  return refreshing
}

async function read() {
  refreshedAt = Date.now()
  const asked = location.href
  const shown = root()
  const answer = await fetch(asked, { headers: { Accept: "text/html" } })
  if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url)
  if (!answer.ok) throw new Error(answer.status)
  const page = new DOMParser().parseFromString(await answer.text(), "text/html")
  if (location.href !== asked || root() !== shown) return soon() // the page was filtered meanwhile: this is of the page before
  const fresh = page.querySelector("[data-live]")
  if (!fresh || !shown) return
  if (shown.querySelector("#runs-list:hover, .panel.runs:hover") && movesRows(shown, fresh)) {
    shown.addEventListener("pointerleave", soon, { once: true }) // nothing moves away under the pointer
    return
  }
  const added = morph(shown, fresh)
  document.title = page.title
  for (const element of added) window.htmx?.process(element)
  light(added)
  follow()
  tick()
  tookMs = Date.now() - refreshedAt
}

function movesRows(shown, fresh) {
  const order = (page) => [...page.querySelectorAll(".run")].map((row) => row.id).join()
  return order(shown) !== order(fresh)
}

/** New findings fade in, a few at once. */
function light(added) {
  const findings = added.flatMap((element) => element.matches(".find") ? [element] : [...element.querySelectorAll(".list > .find")])
  countUnseen(findings)
  for (const finding of findings.slice(0, FRESH_AT_ONCE)) {
    finding.classList.add("fresh")
    setTimeout(() => finding.classList.remove("fresh"), 2400)
  }
}

/** Clocks count on by whole seconds; times are said in the reader's own zone. */
export function tick() {
  const now = Date.now()
  if (document.body.dataset.conn !== "stale" && document.body.dataset.conn !== "offline") {
    for (const clock of document.querySelectorAll("[data-since]")) set(clock, span((now - Date.parse(clock.dataset.since)) / 1000))
    for (const clock of document.querySelectorAll("[data-until]")) {
      const left = (Date.parse(clock.dataset.until) - now) / 1000
      set(clock, left > 0 ? `in ${span(left)}` : "now")
    }
    for (const words of document.querySelectorAll("[data-left]")) set(words, leftWords((now - Date.parse(words.dataset.left)) / 1000, share(words)))
  }
  for (const time of document.querySelectorAll("time[data-when]")) set(time, when(new Date(time.dateTime), new Date(now)))
}

/** The part of the work that is done, of the run that an element belongs to. */
function share(element) {
  const number = element.closest(".hero")?.querySelector("[data-number]")
  if (number) return Number(number.textContent) / 100
  const bar = element.closest("[data-task]")?.querySelector("progress[data-state=PROGRESS][value]")
  return bar ? bar.value / bar.max : 0
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  for (const [size, unit, small, smallUnit] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]])
    if (whole >= size) {
      const rest = Math.floor((whole % size) / small)
      return `${Math.floor(whole / size)}\u00a0${unit}${rest ? ` ${rest}\u00a0${smallUnit}` : ""}`
    }
  return `${whole}\u00a0s`
}

function when(at, now) {
  const age = (now - at) / 1000
  if (age < 60) return `${Math.max(0, Math.floor(age))}\u00a0s ago`
  if (age < 3600) return `${Math.floor(age / 60)}\u00a0min ago`
  const clock = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86400000)
  if (days <= 1) return `${days ? "Yesterday" : "Today"} ${clock}`
  return at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })
}
