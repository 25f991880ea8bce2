/** Keyboard shortcuts: off while typing, and entirely if a person has turned them off in the list that ? shows. */
import { clearSelection } from "./selection.js"

const OFF = "keys-off"
const dialog = document.getElementById("keys")
let first = false // G was pressed: the next key names a page
let timer = 0

export function listen() {
  const isOn = dialog.querySelector("input")
  isOn.checked = localStorage.getItem(OFF) === null
  isOn.addEventListener("change", () => (isOn.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "yes")))
  document.getElementById("show-keys").addEventListener("click", list)
  document.addEventListener("keydown", (event) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem(OFF)) return
    const act = first ? () => go(`[data-jump="${CSS.escape(event.key)}"]`) : KEYS[event.key]
    first = !first && event.key === "g"
    clearTimeout(timer)
    timer = setTimeout(() => (first = false), 1000)
    if (act && act() !== false) event.preventDefault()
  })
}

/** Whether keys belong to the element. A dialog that was just closed keeps the focus until the next frame. */
function isTyping(element) {
  const isClosed = element.closest("dialog:not([open])")
  return !isClosed && element.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")
}

const KEYS = {
  "/": () => focus(document.getElementById("q")),
  j: () => step(".run .name a", 1),
  k: () => step(".run .name a", -1),
  "]": () => step(".find > summary", 1),
  "[": () => step(".find > summary", -1),
  c: () => press("c"),
  r: () => press("r"),
  x: () => select(),
  n: () => go("a[data-new]"),
  t: () => focus(document.querySelector(".events")),
  "?": list,
  Escape: () => clear(),
}

function list() {
  dialog.showModal()
}

function go(selector) {
  const link = document.querySelector(selector)
  if (!link) return false
  link.click()
}

function focus(element) {
  if (!element) return false
  element.focus()
}

function step(selector, by) {
  const all = [...document.querySelectorAll(selector)]
  const at = all.findIndex((element) => element === document.activeElement || element.closest(".run")?.contains(document.activeElement))
  return focus(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))])
}

function select() {
  const box = document.activeElement.closest(".run")?.querySelector(".pick")
  if (!box) return false
  box.click()
}

/** Clears the selection, otherwise closes what is open. */
function clear() {
  if (clearSelection()) return true
  const open = document.querySelector(".find[open]")
  if (open) open.open = false
  return open !== null
}

/** Acts on the focused row; on the page of one run, on that run. */
function press(key) {
  const within = document.activeElement.closest(".run") ?? document.getElementById("head")
  const button = within?.querySelector(`[data-key="${key}"]`)
  if (!button) return false
  button.click()
}
