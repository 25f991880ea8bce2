/**
 * Dropping, choosing and removing files. The form is sent in the background, with the listed files: a browser does not
 * resend the files of a refused form, so the page stays, and shows the messages from the server's rendering.
 */
import { send } from "./send.js"

const form = document.getElementById("new")
const input = document.getElementById("id_upload")
const folder = document.getElementById("folder")
const drop = document.getElementById("drop")
const table = document.getElementById("listed")
const analyze = document.getElementById("analyze")
const analyzeWords = analyze.textContent
const SHOWN = 12
const CLUTTER = /(^|\/)(\.git|\.terraform|node_modules|__MACOSX)(\/|$)|(^|\/)\.DS_Store$/
const files = new Map() // path -> File
let showAll = false

input.classList.add("vh")
input.addEventListener("change", () => add([...input.files].map((file) => [file.name, file])))
folder.addEventListener("change", () => add([...folder.files].map((file) => [file.webkitRelativePath, file])))
form.addEventListener("input", ready)
form.addEventListener("submit", (event) => {
  event.preventDefault()
  send(form, files, { onRefused: list })
})
for (const part of [drop, table]) part.dataset.loaded = "yes" // a rendering of the server's knows nothing of the files

for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => over(event, true))
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, (event) => over(event, false))
drop.addEventListener("drop", async (event) => {
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
  const found = []
  for (const entry of entries) await walk(entry, found)
  add(found)
})

function over(event, isOver) {
  event.preventDefault()
  drop.classList.toggle("over", isOver)
}

async function walk(entry, found) {
  const path = entry.fullPath.replace(/^\//, "")
  if (CLUTTER.test(path) || found.length > Number(form.dataset.maxFiles)) return
  if (entry.isFile) return void found.push([path, await new Promise((done, failed) => entry.file(done, failed))])
  const reader = entry.createReader()
  for (;;) {
    const batch = await new Promise((done, failed) => reader.readEntries(done, failed))
    if (!batch.length) return
    for (const child of batch) await walk(child, found)
  }
}

function add(found) {
  for (const [path, file] of found) if (!CLUTTER.test(path)) files.set(path, file)
  list()
}

function list() {
  const body = table.tBodies[0]
  body.replaceChildren()
  const sorted = [...files.keys()].sort()
  for (const path of showAll ? sorted : sorted.slice(0, SHOWN)) body.append(row(path, files.get(path)))
  if (!showAll && sorted.length > SHOWN) body.append(more(sorted.length))
  table.hidden = !files.size
  const bytes = total()
  document.getElementById("listed-count").textContent = `${count(files.size)}, ${size(bytes)}`
  const isTooLarge = bytes > Number(form.dataset.maxBytes)
  document.getElementById("upload-words").textContent = isTooLarge
    ? `${size(bytes)} is more than the ${size(Number(form.dataset.maxBytes))} that an upload may have.`
    : "You can leave this page afterward; the run continues."
  const counted = files.size && analyze.dataset.counted
  analyze.textContent = counted ? `${counted} ${count(files.size)}` : analyzeWords
  ready()
}

function row(path, file) {
  const tr = document.createElement("tr")
  const button = document.createElement("button")
  button.type = "button"
  button.className = "btn bare icon mini"
  button.setAttribute("aria-label", `Remove ${path}`)
  button.append(icon("x"))
  button.addEventListener("click", () => (files.delete(path), list()))
  tr.append(cell(path, "mono"), cell(kindOf(path)), cell(size(file.size), "num"), cell(button, "num"))
  return tr
}

function more(number) {
  const tr = document.createElement("tr")
  const button = document.createElement("button")
  button.type = "button"
  button.className = "btn bare"
  button.textContent = `Show all ${number.toLocaleString("en")}`
  button.addEventListener("click", () => ((showAll = true), list()))
  const td = cell(button)
  td.colSpan = 4
  tr.append(td)
  return tr
}

function cell(content, css = "") {
  const td = document.createElement("td")
  td.className = css
  td.append(content)
  return td
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use")
  svg.setAttribute("class", "i")
  svg.setAttribute("aria-hidden", "true")
  use.setAttribute("href", `${form.dataset.sprite}#${name}`)
  svg.append(use)
  return svg
}

/** By name alone, as a hint; the server reads the content. */
function kindOf(path) {
  const name = path.split("/").pop().toLowerCase()
  if (/\.(zip|tar\.gz|tgz)$/.test(name)) return "Archive"
  if (/\.tf(\.json)?$/.test(name)) return "Terraform"
  if (/\.tfvars(\.json)?$/.test(name)) return "Terraform values"
  if (/^(docker-)?compose([.-].*)?\.ya?ml$/.test(name)) return "Compose"
  if (/^dockerfile|\.dockerfile$/.test(name)) return "Dockerfile"
  if (/\.github\/workflows\/.*\.ya?ml$/.test(path)) return "GitHub Actions"
  if (/gitlab-ci\.ya?ml$/.test(name)) return "GitLab CI"
  if (/^azure-pipelines?([.-].*)?\.ya?ml$/.test(name)) return "Azure Pipelines"
  if (/(^|\/)\.circleci\/.*\.ya?ml$/.test(path)) return "CircleCI"
  if (/\.bicep(param)?$/.test(name)) return "Bicep"
  return /\.(ya?ml|json|template)$/.test(name) ? "Detected by content" : "Unsupported file type"
}

/** What will be assessed, as far as the form knows. */
function ready() {
  const given = (name) => (name === "files" ? files.size > 0 || form.elements.paste.value.trim() : form.elements[name]?.value.trim())
  const holds = (need) => need.split("&").every((part) => part.split("|").some(given))
  for (const lane of form.querySelectorAll("[data-needs]")) {
    const isReady = lane.dataset.needs.split(" ").some(holds)
    lane.dataset.state = isReady ? "SUCCESS" : "PENDING"
    lane.querySelector("use").setAttribute("href", `${form.dataset.sprite}#${isReady ? "SUCCESS" : "PENDING"}`)
  }
}

function total() {
  let bytes = 0
  for (const file of files.values()) bytes += file.size
  return bytes
}

function count(number) {
  return `${number.toLocaleString("en")} file${number === 1 ? "" : "s"}`
}

function size(bytes) {
  if (bytes < 1000) return `${bytes}\u00a0B`
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)}\u00a0kB` : `${(bytes / 1e6).toFixed(1)}\u00a0MB`
}

if (input.files.length) add([...input.files].map((file) => [file.name, file]))
ready()
