/**
 * The operators' pages, live. In the list, progress frames move bars at once, and after an event the server is asked
 * for the cells of the rows that are shown: rows never come, go or move by themselves, so that what an operator has
 * marked stays what it was. Other pages take over their newer rendering. Where frames are not to be had, or not for
 * this person, the server is asked every few seconds.
 */
import { Feed } from "./socket.js"
import { movePercent, tick } from "./live.js"
import { morph } from "./morph.js"

const EVERY_S = 5
const NOT_BEFORE_MS = 700
const ACTIVE = "[data-task]:is([data-state=PENDING], [data-state=STARTED], [data-state=PROGRESS], [data-state=RETRY], [data-state=CANCELLING])"

const note = document.querySelector(".live-note")
const page = () => document.querySelector("[data-live-page]")
const parser = new DOMParser()
let isFollowing = false
let connection = ""
let timer = 0
let askedAt = 0
let newer = new Set()

function start() {
  const feed = new Feed({ onFrame, onStatus, onPoll: ask })
  feed.watchAll()
  setInterval(tick, 1000)
  setInterval(() => {
    if (!document.hidden && isAnythingActive()) ask().catch(() => {})
  }, EVERY_S * 1000)
  tick()
}

function isAnythingActive() {
  return page() ? page().hasAttribute("data-active") : document.querySelector(ACTIVE) !== null
}

function onFrame(frame) {
  if (frame.type === "error" && frame.code === "forbidden") return say("forbidden")
  if (frame.type === "caught_up" && frame.scope === "all") {
    isFollowing = true
    newer = new Set()
    return say(connection)
  }
  if (frame.type === "progress") return move(frame)
  if (frame.type === "event" && concerns(frame)) soon()
  if (frame.type === "snapshot" && isFollowing) arrived(frame.task)
}

function move(frame) {
  movePercent(frame.task_id, frame.current, frame.total, frame.attempt, frame.message)
  for (const [id, current] of Object.entries(frame.children)) {
    const bar = document.querySelector(`progress[data-bar="${CSS.escape(id)}"]`)
    if (bar) movePercent(id, current, bar.max)
  }
}

/** An event of a task that is shown, or of a part of it. */
function concerns({ task_id, data }) {
  if (page()) return !page().dataset.livePage || document.querySelector(`[data-live-page="${CSS.escape(task_id)}"], [data-task="${CSS.escape(task_id)}"]`) !== null || data.task_id === page().dataset.livePage
  return [task_id, data.task_id].some((id) => id && document.querySelector(`[data-task="${CSS.escape(id)}"]`))
}

/** A task that came after the list was made is counted, not shown: the list stands still. */
function arrived(task) {
  if (page()) return soon()
  if (new Date(task.created_at) < new Date(note.dataset.made)) return // an older one, of another filter or page, that stirred
  if (document.querySelector(`[data-task="${CSS.escape(task.task_id)}"]`)) return
  newer.add(task.task_id)
  say(connection)
}

function soon() {
  timer ||= setTimeout(() => {
    timer = 0
    ask().catch(() => {})
  }, Math.max(30, NOT_BEFORE_MS - (Date.now() - askedAt)))
}

async function ask() {
  askedAt = Date.now()
  await (page() ? renew() : patch())
  tick()
}

async function patch() {
  const ids = [...document.querySelectorAll("[data-task]")].map((cell) => cell.dataset.task)
  if (!ids.length) return
  const answer = await read(`${note.dataset.rows}?${new URLSearchParams(ids.map((id) => ["id", id]))}`)
  const rows = await answer.json()
  for (const id of ids) {
    const row = document.querySelector(`[data-task="${CSS.escape(id)}"]`).closest("tr")
    for (const [name, html] of Object.entries(rows[id] ?? {})) fill(row.querySelector(`.field-${name}`), html)
    row.classList.toggle("gone", !rows[id])
  }
}

/** Take over the newer content of a cell, keeping its progress element. */
function fill(cell, html) {
  if (!cell) return
  const fresh = cell.cloneNode(false)
  fresh.append(...parser.parseFromString(html, "text/html").body.childNodes)
  morph(cell, fresh)
}

async function renew() {
  const answer = await read(location.href)
  const fresh = parser.parseFromString(await answer.text(), "text/html").querySelector("[data-live-page]")
  if (fresh && !page().contains(document.activeElement?.closest("form button"))) morph(page(), fresh)
}

async function read(url) {
  const answer = await fetch(url)
  if (!answer.ok || answer.redirected) throw new Error(answer.status)
  return answer
}

function onStatus(status, seconds) {
  document.body.dataset.conn = status
  if (status !== "live") isFollowing = false
  say(status, seconds)
}

function say(status, seconds = 0) {
  if (status === "forbidden" || connection !== "forbidden") connection = status
  const words = {
    live: "Live",
    forbidden: `Read anew every ${EVERY_S}\u00a0s`,
    polling: `Polling every ${seconds}\u00a0s`,
    stale: `Stale for ${seconds}\u00a0s`,
    offline: "Offline",
  }
  const more = newer.size && !page() ? `${newer.size} newer. ` : ""
  const text = more + (words[connection] ?? "")
  if (note && note.textContent !== text) note.textContent = text
}

if (note) start()
