/**
 * The command palette: Ctrl K (or Cmd K) lists pages, the actions on this page, and the server's search results. The
 * page's own actions are read from its links and buttons, so that nothing is written twice.
 */
import { ask } from "./ask.js"

const PAUSE_MS = 150
const COMMANDS = ".top nav a, .top .main[href], .menu a, .menu button:not(#show-palette), #head :is(a, button).btn"
const dialog = document.getElementById("palette")
const input = document.getElementById("palette-words")
const list = document.getElementById("palette-list")
let local = []
let found = []
let timer = 0
let asked = 0

export function offerPalette() {
  document.getElementById("show-palette").addEventListener("click", open)
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
    event.preventDefault()
    dialog.open ? dialog.close() : open()
  })
  input.addEventListener("input", () => {
    draw()
    clearTimeout(timer)
    timer = setTimeout(search, PAUSE_MS)
  })
  input.addEventListener("keydown", onKey)
  list.addEventListener("click", (event) => run(event.target.closest("[role=option]")))
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close())
}

function open() {
  local = [...document.querySelectorAll(COMMANDS)].filter(isOffered).map((element) => ({
    label: wordsOf(element),
    note: element.matches("a") ? "Page" : "Action",
    element,
  }))
  found = []
  input.value = ""
  dialog.showModal()
  input.focus()
  draw()
  search()
}

function isOffered(element) {
  return !element.hidden && !element.disabled && wordsOf(element)
}

function wordsOf(element) {
  const words = element.cloneNode(true)
  for (const key of words.querySelectorAll("kbd")) key.remove()
  const label = element.getAttribute("aria-label") ?? words.textContent
  const theme = element.name === "theme" ? "Theme: " : ""
  return theme + label.replace(/\s+/g, " ").trim()
}

/** Query every source. The response to an earlier query is discarded. */
async function search() {
  const question = ++asked
  const sources = [...dialog.querySelectorAll("[data-source]")]
  const answers = await Promise.all(sources.map((source) => askSource(source.dataset.source).catch(() => [])))
  if (question !== asked) return
  found = answers.flat()
  draw()
}

async function askSource(address) {
  const answer = await ask(`${address}?q=${encodeURIComponent(input.value)}`, { accept: "application/json" })
  return answer.ok ? (await answer.json()).items : []
}

function draw() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean)
  const fits = ({ label }) => words.every((word) => label.toLowerCase().includes(word))
  const entries = [...local.filter(fits), ...found]
  list.replaceChildren(...entries.map(option))
  document.getElementById("palette-none").hidden = entries.length > 0
  choose(list.firstElementChild)
}

function option(entry, index) {
  const item = document.createElement("li")
  item.id = `palette-${index}`
  item.setAttribute("role", "option")
  const label = document.createElement("span")
  label.className = "clip"
  label.textContent = entry.label
  const note = document.createElement("span")
  note.className = "small faint push"
  note.textContent = entry.note
  item.append(label, note)
  item.entry = entry
  return item
}

function choose(item) {
  for (const each of list.children) each.setAttribute("aria-selected", String(each === item))
  if (item) input.setAttribute("aria-activedescendant", item.id)
  else input.removeAttribute("aria-activedescendant")
  item?.scrollIntoView({ block: "nearest" })
}

function onKey(event) {
  const chosen = list.querySelector("[aria-selected=true]")
  const moves = {
    ArrowDown: () => choose(chosen?.nextElementSibling ?? list.firstElementChild),
    ArrowUp: () => choose(chosen?.previousElementSibling ?? list.lastElementChild),
    Enter: () => run(chosen),
    Escape: () => dialog.close(), // a search field would only clear itself
  }
  if (!moves[event.key]) return
  event.preventDefault()
  moves[event.key]()
}

function run(item) {
  if (!item) return
  dialog.close()
  const { element, href } = item.entry
  if (element) element.click()
  else location.assign(href)
}
