/**
 * The operators' pages, live. In the list, progress frames move bars at once, and after an event the cells of the
 * visible rows are requested from the server: rows never appear, disappear or move by themselves, so that an operator's
 * selection stays what it was. Other pages adopt their newer rendering. If no frames arrive, or this person may not
 * receive them, the server is polled every few seconds. Nothing is requested while the page is hidden.
 */
import { ask } from "./ask.js"
import { drawProgress } from "./bars.js"
import { tick } from "./clocks.js"
import { Feed } from "./socket.js"
import { morph } from "./morph.js"

const EVERY_S = 5
const NOT_BEFORE_MS = 700
const ACTIVE = "[data-task]:is([data-state=PENDING], [data-state=STARTED], [data-state=PROGRESS], [data-state=RETRY], [data-state=CANCELLING])"

const note = document.querySelector(".live-note")
const page = () => document.querySelector("[data-live-page]")
const parser = new DOMParser()
let feed
let isFollowing = false
let isForbidden = false
let connection = {}
let timer = 0
let askedAt = 0
let asked = 0
let shown = 0
const newer = new Set()

function start() {
  feed = new Feed({ onFrame, onStatus, onPoll: renew })
  if (!isCalm()) feed.watchAll()
  setInterval(tick, 1000)
  setInterval(() => {
    if (!document.hidden && isAnythingActive()) renew().catch(() => {})
  }, everyS() * 1000)
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && isCalm()) soon()
  })
  tick()
}

/** A page of figures sets how often it is reloaded, and follows no task. */
function isCalm() {
  return page()?.hasAttribute("data-every") ?? false
}

function everyS() {
  return Number(page()?.dataset.every) || EVERY_S
}

function isAnythingActive() {
  return page() ? page().hasAttribute("data-active") : document.querySelector(ACTIVE) !== null
}

function onFrame(frame) {
  if (frame.type === "error" && frame.code === "forbidden") {
    isForbidden = true
    return describe()
  }
  if (frame.type === "caught_up" && frame.scope === "all") {
    isFollowing = true
    isForbidden = false
    soon() // changes since the page was rendered
    return describe()
  }
  if (frame.type === "progress") return move(frame)
  if (frame.type === "event" && concerns(frame)) soon()
  if (frame.type === "snapshot") arrived(frame.task)
}

function move(frame) {
  drawProgress({ ...frame, id: frame.task_id })
  for (const [id, current] of Object.entries(frame.children)) {
    const bar = document.querySelector(`progress[data-bar="${CSS.escape(id)}"]`)
    if (bar) drawProgress({ id, current, total: bar.max })
  }
}

/** An event of a visible task, or of a part of it. */
function concerns({ task_id, data }) {
  if (page()) return !page().dataset.livePage || document.querySelector(`[data-live-page="${CSS.escape(task_id)}"], [data-task="${CSS.escape(task_id)}"]`) !== null || data.task_id === page().dataset.livePage
  return [task_id, data.task_id].some((id) => id && document.querySelector(`[data-task="${CSS.escape(id)}"]`))
}

/** A task created after the list was rendered is counted, not shown: the list doesn't move. */
function arrived(task) {
  if (page()) return soon()
  if (new Date(task.created_at) < new Date(note.dataset.made)) return // an older one, of another filter or page, that stirred
  if (document.querySelector(`[data-task="${CSS.escape(task.task_id)}"]`)) return
  newer.add(task.task_id)
  describe()
}

function soon() {
  timer ||= setTimeout(() => {
    timer = 0
    renew().catch(() => {})
  }, Math.max(30, NOT_BEFORE_MS - (Date.now() - askedAt)))
}

/** Reload what is shown from the server. Rejects if that fails. */
async function renew() {
  askedAt = Date.now()
  const number = ++asked
  try {
    const answer = await (page() ? readPage() : readRows())
    feed.setBehind(false)
    if (number < shown) return // a later answer came first
    shown = number
    page() ? showPage(answer) : showRows(answer)
  } catch (error) {
    feed.setBehind(true)
    throw error
  }
  tick()
}

function shownIds() {
  return [...document.querySelectorAll("[data-task]")].map((cell) => cell.dataset.task)
}

async function readRows() {
  const ids = shownIds()
  if (!ids.length) return {}
  return (await read(`${note.dataset.rows}?${new URLSearchParams(ids.map((id) => ["id", id]))}`)).json()
}

function showRows(rows) {
  for (const id of shownIds()) {
    const row = document.querySelector(`[data-task="${CSS.escape(id)}"]`).closest("tr")
    for (const [name, html] of Object.entries(rows[id] ?? {})) fill(row.querySelector(`.field-${name}`), html)
    row.classList.toggle("gone", !rows[id])
  }
}

/** Adopt the newer content of a cell, keeping its progress element. */
function fill(cell, html) {
  if (!cell) return
  const fresh = cell.cloneNode(false)
  fresh.append(...parser.parseFromString(html, "text/html").body.childNodes)
  morph(cell, fresh)
}

async function readPage() {
  const answer = await read(location.href)
  return parser.parseFromString(await answer.text(), "text/html").querySelector("[data-live-page]")
}

function showPage(fresh) {
  if (fresh && !page().contains(document.activeElement?.closest("form button"))) morph(page(), fresh)
}

async function read(url) {
  const answer = await ask(url)
  if (!answer.ok || answer.redirected) throw new Error(answer.status)
  return answer
}

function onStatus(status, { seconds, reason }) {
  document.body.dataset.conn = status
  if (status !== "live") isFollowing = false
  connection = { status, seconds }
  note.title = reason
  describe()
}

function describe() {
  const { status, seconds } = connection
  const words = {
    live: isForbidden || isCalm() ? `Refreshed every ${everyS()}\u00a0s` : isFollowing ? "Live" : "Connecting",
    polling: `Polling every ${seconds}\u00a0s`,
    stale: `Stale for ${seconds}\u00a0s`,
    offline: "Offline",
  }
  const more = newer.size && !page() ? `${newer.size} newer. ` : ""
  const text = more + (words[status] ?? "")
  if (note.textContent !== text) note.textContent = text
}

if (note) start()
