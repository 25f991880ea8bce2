/**
 * The map of a run: zoom, pan, search while typing, tracing of paths, arrow keys, and following links without losing
 * the position. The server draws, folds and searches; without this script the same links and form load whole pages.
 */
const STEP = 1.25
const LEAST = 0.15
const READABLE = 0.62
const MOST = 3
const DRAG_STARTS_AT = 4

let zoom = 0 // 0: as large as fits
let drag = null
let wasDragged = false
let traced = {} // the path, or the box, that is highlighted
let turn = Promise.resolve()

const view = () => document.getElementById("map-view")
const drawing = () => view()?.querySelector("svg.map")
const search = () => document.getElementById("q")

start()

function start() {
  for (const part of document.querySelectorAll("#map-page [data-scripted]")) part.hidden = false
  document.addEventListener("click", onClick)
  document.addEventListener("submit", onSubmit)
  document.addEventListener("input", (event) => event.target.id === "q" && mark())
  document.addEventListener("keydown", onKey)
  for (const name of ["pointerover", "focusin"]) document.addEventListener(name, (event) => trace(event.target))
  document.addEventListener("toggle", (event) => trace(event.target), true)
  document.addEventListener("pointerdown", grab)
  document.addEventListener("pointermove", pull)
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, letGo)
  document.addEventListener("wheel", onWheel, { passive: false })
  addEventListener("resize", draw)
  addEventListener("popstate", () => location.reload())
  document.addEventListener("live:adopted", highlight)
  new MutationObserver(draw).observe(document.getElementById("main"), {
    subtree: true, childList: true, attributes: true, attributeFilter: ["viewBox", "hidden"],
  })
  draw()
  if (drawing()?.querySelector(".box.on")) showPicked()
  else showEntry()
}

/** Reading starts where requests come in. */
function showEntry() {
  const entry = drawing()?.querySelector(".internet rect")?.getBoundingClientRect()
  if (!entry) return
  const area = view()
  const frame = area.getBoundingClientRect()
  area.scrollBy(entry.left - frame.left - area.clientWidth / 4, entry.top - frame.top - area.clientHeight / 2)
}

/** The drawing's size at 100 %, whatever its attributes have been set to since. */
function natural() {
  const box = drawing()?.viewBox.baseVal
  return box && { width: box.width, height: box.height }
}

/** As wide as the view, but readable: anything larger is scrolled. */
function fitting() {
  return Math.max(READABLE, Math.min(1, (view().clientWidth - 2) / natural().width))
}

function whole() {
  const [size, area] = [natural(), view()]
  return Math.min(1, (area.clientWidth - 2) / size.width, (area.clientHeight - 2) / size.height)
}

function draw() {
  for (const part of document.querySelectorAll("#map-page [data-scripted]")) part.hidden = false
  const size = natural()
  if (!size) return
  const scale = zoom || fitting()
  const svg = drawing()
  const [width, height] = [size.width * scale, size.height * scale].map((length) => length.toFixed(1))
  if (svg.getAttribute("width") !== width) svg.setAttribute("width", width)
  if (svg.getAttribute("height") !== height) svg.setAttribute("height", height)
  svg.dataset.zoom = scale.toFixed(2)
}

/** Changes the scale, keeping the point at (x, y) of the view in place. */
function scaleTo(wanted, x = view().clientWidth / 2, y = view().clientHeight / 2) {
  const before = zoom || fitting()
  zoom = Math.min(MOST, Math.max(LEAST, wanted))
  const area = view()
  const [left, top] = [(area.scrollLeft + x) / before, (area.scrollTop + y) / before]
  draw()
  area.scrollTo(left * zoom - x, top * zoom - y)
}

function onClick(event) {
  const button = event.target.closest("[data-zoom]")
  if (button instanceof HTMLButtonElement) return zoomBy(button.dataset.zoom)
  if (wasDragged && event.target.closest("#map-view")) return event.preventDefault()
  const link = event.target.closest("#map-page a[data-map-link], #map-view a")
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
  event.preventDefault()
  go(link.getAttribute("href"))
}

function zoomBy(way) {
  if (way === "fit") {
    zoom = Math.max(LEAST, whole())
    draw()
    view().scrollTo(0, 0)
  } else scaleTo((zoom || fitting()) * (way === "in" ? STEP : 1 / STEP))
}

function onSubmit(event) {
  if (!event.target.matches("[data-map-form]")) return
  event.preventDefault()
  const asked = new URLSearchParams(new FormData(event.target))
  go(`?${asked}`)
}

/** One after another: a pending response must not replace that of a later choice. */
function go(href) {
  turn = turn.then(() => load(href)).catch(() => location.assign(href))
}

/** Adopts the server's page for another choice; the focus and the position on the map stay. */
async function load(href) {
  const address = new URL(href, location.href)
  const area = view()
  const [left, top, focused] = [area.scrollLeft, area.scrollTop, placeOf(document.activeElement)]
  let typed = null
  const keep = () => (typed = document.activeElement === search() ? search().value : null)
  document.addEventListener("htmx:beforeSwap", keep, { once: true })
  history.pushState(null, "", address)
  await window.htmx.ajax("GET", address.pathname + address.search, { target: "#map-page", select: "#map-page", swap: "outerHTML" })
  draw()
  view()?.scrollTo(left, top)
  if (typed !== null) search().value = typed
  highlight()
  const isPick = address.hash === "#picked"
  if (isPick) showPicked()
  else if (document.activeElement === document.body) find(focused)?.focus({ preventScroll: true }) // lost with the part it was in
}

function placeOf(element) {
  return element?.id || element?.closest("[data-box]")?.dataset.box || ""
}

function find(place) {
  if (!place) return null
  return document.getElementById(place) ?? view()?.querySelector(`[data-box="${CSS.escape(place)}"] a`)
}

/** Brings the selected resource into view, on the map and beside it. */
function showPicked() {
  const box = drawing()?.querySelector(".box.on")
  if (!box) return
  center(box)
  const panel = document.getElementById("picked")
  panel?.setAttribute("tabindex", "-1")
  panel?.focus({ preventScroll: true })
}

function center(box) {
  const scale = zoom || fitting()
  const area = view()
  const [x, y] = [Number(box.dataset.x) * scale, Number(box.dataset.y) * scale]
  const isSeen =
    x > area.scrollLeft && x < area.scrollLeft + area.clientWidth && y > area.scrollTop && y < area.scrollTop + area.clientHeight
  if (!isSeen) area.scrollTo(x - area.clientWidth / 2, y - area.clientHeight / 2)
}

/** Highlights matches while a person types; Enter asks the server, which also searches folded groups. */
function mark() {
  const svg = drawing()
  if (!svg) return
  const words = search().value.trim().toLowerCase()
  svg.classList.toggle("searching", words !== "")
  let count = 0
  for (const box of svg.querySelectorAll(".box")) {
    const isHit = words !== "" && box.dataset.text.includes(words)
    box.classList.toggle("hit", isHit)
    if (isHit && ++count === 1) center(box)
  }
  const said = document.getElementById("map-said")
  said.textContent = words ? `${count} drawn ${count === 1 ? "box matches" : "boxes match"}. Enter searches folded groups, too.` : ""
}

/** Highlights everything that a path, or the lines of a resource, touch. */
function trace(target) {
  if (!(target instanceof Element)) return
  const box = target.closest("#map-view [data-box]")
  traced = { path: target.closest("[data-path]")?.dataset.path, box: box && !target.closest(".frame") ? box.dataset.box : undefined }
  lightTraced()
}

function lightTraced() {
  const svg = drawing()
  if (!svg) return
  const { path, box } = traced
  for (const each of svg.querySelectorAll(".lit")) each.classList.remove("lit")
  svg.classList.toggle("tracing", Boolean(path))
  if (!path && !box) return
  for (const line of svg.querySelectorAll(".line")) {
    const isOn = path ? line.dataset.paths.split(" ").includes(path) : [line.dataset.source, line.dataset.target].includes(box)
    if (!isOn) continue
    line.classList.add("lit")
    for (const end of [line.dataset.source, line.dataset.target])
      svg.querySelector(`[data-box="${CSS.escape(end)}"]`)?.classList.add("lit")
  }
}

/** Again, on a drawing that the server has just rendered: it knows nothing of what is highlighted here. */
function highlight() {
  if (search()?.value) mark()
  lightTraced()
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target === search() && event.key === "Escape") {
    search().value = ""
    return mark()
  }
  if (!event.target.closest?.("#map-view")) return
  const act = { "+": "in", "=": "in", "-": "out", 0: "fit" }[event.key]
  if (act) zoomBy(act)
  else if (WAYS[event.key]) step(event.target, WAYS[event.key])
  else return
  event.preventDefault()
}

/** From the focused box to the nearest one in that direction; from the view itself to the first. */
function step(from, [dx, dy]) {
  const boxes = [...drawing().querySelectorAll(".box")]
  const current = from.closest(".box")
  const next = current ? nearest(current, boxes, dx, dy) : boxes[0]
  if (!next) return
  next.querySelector("a").focus({ preventScroll: true })
  center(next)
}

function nearest(current, boxes, dx, dy) {
  const [x, y] = [Number(current.dataset.x), Number(current.dataset.y)]
  let best = null
  let least = Infinity
  for (const box of boxes) {
    const [ox, oy] = [Number(box.dataset.x) - x, Number(box.dataset.y) - y]
    const ahead = ox * dx + oy * dy
    const aside = Math.abs(ox * dy) + Math.abs(oy * dx)
    const far = ahead + 2 * aside
    if (box !== current && ahead > 1 && far < least) [best, least] = [box, far]
  }
  return best
}

function grab(event) {
  wasDragged = false
  if (event.button || event.pointerType === "touch" || !event.target.closest?.("#map-view svg")) return
  drag = { x: event.clientX, y: event.clientY, left: view().scrollLeft, top: view().scrollTop }
}

function pull(event) {
  if (!drag) return
  const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y]
  if (!wasDragged && Math.hypot(dx, dy) < DRAG_STARTS_AT) return
  wasDragged = true
  view().classList.add("dragging")
  view().scrollTo(drag.left - dx, drag.top - dy)
}

function letGo() {
  drag = null
  view()?.classList.remove("dragging")
}

/** With Ctrl, or a pinch, which browsers report the same way. The wheel alone scrolls. */
function onWheel(event) {
  if (!event.ctrlKey || !event.target.closest?.("#map-view")) return
  event.preventDefault()
  const area = view().getBoundingClientRect()
  scaleTo((zoom || fitting()) * Math.exp(-event.deltaY / 300), event.clientX - area.left, event.clientY - area.top)
}
