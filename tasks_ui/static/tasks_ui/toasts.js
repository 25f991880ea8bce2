/** Short notes on runs that ended but are not shown on this page, and, if enabled, browser notifications. */
import { ask } from "./ask.js"

const LIFE_MS = 8000
const AT_ONCE = 3
const ENDS = new Set(["task.succeeded", "task.failed", "task.revoked"])
const OLD_MS = 60_000
const WANTED = "notify"
const told = new Set()

/** Offer, in the account's menu, browser notifications when a run ends. */
export function offerNotifications() {
  const button = document.getElementById("notify")
  if (!button || !("Notification" in window) || Notification.permission === "denied") return
  const say = () => (button.textContent = isWanted() ? "Stop notifying me" : "Notify me when a run ends")
  button.hidden = false
  button.addEventListener("click", async () => {
    if (isWanted()) localStorage.removeItem(WANTED)
    else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(WANTED, "yes")
    say()
  })
  say()
}

function isWanted() {
  return localStorage.getItem(WANTED) === "yes" && Notification.permission === "granted"
}

/** When a task that the page does not show ends, ask the server for the note's text. */
export async function onEnd(frame) {
  if (frame.type !== "event" || !ENDS.has(frame.event) || told.has(frame.task_id)) return
  if (Date.now() - Date.parse(frame.at) > OLD_MS || (isShown(frame.task_id) && !document.hidden)) return
  told.add(frame.task_id)
  const dashboard = document.getElementById("toasts")?.dataset.dashboard
  if (!dashboard) return // staff read someone else's page
  const answer = await ask(`${dashboard}tasks/${frame.task_id}/toast/`)
  if (answer.status !== 200) return
  const page = new DOMParser().parseFromString(await answer.text(), "text/html")
  const toast = document.importNode(page.querySelector(".toast"), true)
  if (document.hidden && "Notification" in window && isWanted()) notify(toast)
  show(toast)
}

/** The page is about the task, or its row is visible. */
function isShown(id) {
  if (document.querySelector(`[data-watch="${CSS.escape(id)}"]`)) return true
  const row = document.getElementById(`run-${id}`)
  if (!row) return false
  const box = row.getBoundingClientRect()
  return box.bottom > 0 && box.top < innerHeight
}

/** At most AT_ONCE are shown: the oldest is removed, successes before failures. */
function show(toast) {
  const toasts = document.getElementById("toasts")
  while (toasts.querySelectorAll(".toast").length >= AT_ONCE) {
    const oldest = toasts.querySelector(".toast:not([data-state=FAILURE])") ?? toasts.querySelector(".toast")
    oldest.remove()
  }
  toasts.append(toast)
  toast.querySelector("[data-dismiss]").addEventListener("click", () => toast.remove())
  if (toast.dataset.state === "FAILURE") return
  const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : toast.remove())
  setTimeout(leave, LIFE_MS)
}

function notify(toast) {
  const words = toast.querySelector("span").textContent.replace(/\s+/g, " ").trim()
  const note = new Notification(document.getElementById("toasts").dataset.site, { body: words, tag: toast.dataset.toast })
  note.onclick = () => {
    window.focus()
    toast.querySelector("a")?.click()
  }
}

let unseen = 0
const sight = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && haveSeen(), {
  rootMargin: "0px 0px -60px 0px",
})

/** A button with the number of findings that arrived out of sight, until their list is visible or the run has ended. */
export function countUnseen(findings) {
  const list = document.querySelector("#findings[data-growing]")
  const button = document.getElementById("new-findings")
  if (!list || !button) return haveSeen()
  if (!findings.length) return
  const box = list.getBoundingClientRect()
  if (box.bottom > 0 && box.top < innerHeight - 60) return
  unseen += findings.length
  button.textContent = `${unseen} new finding${unseen === 1 ? "" : "s"}`
  button.hidden = false
  button.onclick = () => {
    haveSeen()
    list.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" })
    list.querySelector(".find > summary")?.focus({ preventScroll: true })
  }
  sight.observe(list)
}

function haveSeen() {
  const button = document.getElementById("new-findings")
  unseen = 0
  sight.disconnect()
  if (button) button.hidden = true
}
