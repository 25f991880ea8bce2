/**
 * Live pages. A page declares what it shows: [data-live="mine"] (all of one's own tasks) or [data-live="tasks"] with a
 * [data-watch] for each task. Progress frames move bars and numbers at once; after a durable event the page asks the
 * server for its newer rendering and adopts the differences, so that HTML is written in one place only.
 */
import { ask } from "./ask.js"
import { drawNumber, drawProgress } from "./bars.js"
import { Feed } from "./socket.js"
import { morph } from "./morph.js"
import { drawSelection } from "./selection.js"
import { tick } from "./clocks.js"
import { countUnseen, onEnd } from "./toasts.js"
import { announce, describeConnection } from "./say.js"

const REFRESH_MIN_MS = 120
const REFRESH_MAX_MS = 2000
const REFRESH_SHARE = 4 // of the time, at most a fourth is spent on asking, so that a slow server is asked less often
const FRESH_AT_ONCE = 5

const root = () => document.querySelector("[data-live]")
let feed
let refreshTimer = 0
let refreshing = null
let refreshedAt = 0
let tookMs = REFRESH_MIN_MS

/** `isReading`: staff read someone else's page, and follow nothing but what it shows. */
export function start({ isReading = false } = {}) {
  feed = new Feed({
    onFrame,
    onStatus: (status, detail) => describeConnection(status, detail, Boolean(root())),
    onPoll,
  })
  if (!isReading) feed.watchMine()
  follow()
  setInterval(tick, 1000)
  tick()
}

/** A page that shows nothing live only checks whether the server is available. */
async function onPoll() {
  if (root()) return refresh()
  const answer = await ask("/health/live", { cache: "no-store" })
  if (!answer.ok) throw new Error(answer.status)
}

/** Watch what the page shows now, and stop watching what it showed before. */
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
      return drawProgress({ ...frame, id: frame.task_id })
    case "event":
      announce(frame)
      moveParent(frame)
      if (!isOnlyMovement(frame)) soon()
      return
    case "snapshot":
    case "revoked":
    case "resync_required":
      return soon()
  }
}

/** A part's event includes the progress of the whole; the attempt in it is the part's. */
function moveParent({ task_id, data }) {
  if (data.parent_current !== undefined) drawProgress({ id: task_id, current: data.parent_current, total: 100 })
}

/** A page about certain tasks ignores others; on the list, all of one's own tasks matter. */
function concerns(frame) {
  const live = root()?.dataset.live
  if (live === "mine") return true
  return live === "tasks" && (!frame.task_id || feed.watched.includes(frame.task_id) || isDrawn(frame.task_id))
}

function isDrawn(id) {
  return document.querySelector(`[data-task="${CSS.escape(id)}"]`) !== null
}

/** On the list of runs, a part's own change only counts as progress of its parent. */
function isOnlyMovement(frame) {
  return root().dataset.live === "mine" && frame.event.startsWith("child.")
}

function soon() {
  if (refreshTimer) return
  const pause = Math.min(REFRESH_MAX_MS, Math.max(REFRESH_MIN_MS, REFRESH_SHARE * tookMs))
  const wait = Math.max(30, pause - (Date.now() - refreshedAt))
  refreshTimer = setTimeout(() => {
    refreshTimer = 0
    if (refreshing) return soon() // the pending response may be older than this event
    refresh().catch(() => {
      tookMs = REFRESH_MAX_MS
      soon()
    })
  }, wait)
}

/** Adopt the server's newer rendering of this page. Rejects if the server can't be reached. */
async function refresh() {
  refreshing ??= read()
    .then(
      () => feed.setBehind(false),
      (error) => {
        feed.setBehind(true)
        throw error
      },
    )
    .finally(() => (refreshing = null))
  return refreshing
}

async function read() {
  refreshedAt = Date.now()
  const asked = location.href
  const shown = root()
  const answer = await ask(asked)
  if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url)
  if (!answer.ok) throw new Error(answer.status)
  const page = new DOMParser().parseFromString(await answer.text(), "text/html")
  if (location.href !== asked || root() !== shown) return soon() // the page was filtered in the meantime: this response is for the previous one
  const fresh = page.querySelector("[data-live]")
  if (!fresh || !shown) return
  if (shown.querySelector("#runs-list:hover, .panel.runs:hover") && movesRows(shown, fresh)) {
    shown.addEventListener("pointerleave", soon, { once: true }) // nothing moves under the pointer
    return
  }
  const added = morph(shown, fresh)
  document.dispatchEvent(new Event("live:adopted"))
  document.title = page.title
  drawNumber()
  drawSelection()
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
  const findings = added.flatMap((element) =>
    element.matches(".find") ? [element] : [...element.querySelectorAll(".list > .find")],
  )
  countUnseen(findings.filter((element) => !element.matches(".flat")))
  for (const finding of findings.slice(0, FRESH_AT_ONCE)) {
    finding.classList.add("fresh")
    setTimeout(() => finding.classList.remove("fresh"), 2400)
  }
}
