/**
 * Bars, and the numbers and words beside them, moved by frames. A bar and its number are drawn together from one frame,
 * the number of a whole run from the bars of its stages, so that they agree. Within an attempt nothing moves backwards.
 */
const ACTIVE = new Set(["PENDING", "STARTED", "PROGRESS", "RETRY", "CANCELLING"])

/** Draw `current` of `total` finished units of one task. `attempt` is that of the sender, where it is known. */
export function drawProgress({ id, current, total, attempt, message }) {
  for (const bar of document.querySelectorAll(`progress[data-bar="${CSS.escape(id)}"]`)) {
    const row = bar.closest("[data-task]")
    if ((attempt && attempt < Number(row.dataset.attempt)) || !isForward(bar, current, total)) continue
    turnRunning(bar, row)
    bar.max = Math.max(1, total)
    bar.value = Math.min(current, total)
    drawWords(bar, row, { current, total, message })
    drawStage(row)
  }
  drawNumber()
}

/** Only running tasks move, and only forwards. */
function isForward(bar, current, total) {
  if (bar.dataset.state === "STARTED") return true
  return bar.dataset.state === "PROGRESS" && (!bar.hasAttribute("value") || current / total >= bar.value / bar.max)
}

/** The first number of a run that was still counting its work: it is running now. */
function turnRunning(bar, row) {
  bar.dataset.state = "PROGRESS"
  if (row.dataset.state !== "STARTED") return
  row.dataset.state = "PROGRESS"
  const glyph = row.querySelector(".glyph")
  const use = glyph?.querySelector("use")
  use?.setAttribute("href", use.getAttribute("href").replace("#STARTED", "#PROGRESS"))
  glyph?.setAttribute("aria-label", "Running")
}

function drawWords(bar, row, { current, total, message }) {
  const units = `${current.toLocaleString("en")} of ${total.toLocaleString("en")}`
  const percent = `${Math.min(99, Math.floor((100 * current) / Math.max(1, total)))}\u00a0%`
  const unit = row.querySelector("[data-unit]")
  if (unit) unit.textContent = units
  const number = row.querySelector("[data-percent]")
  if (number) number.textContent = percent
  const line = row.querySelector("[data-message]")
  if (line && message) line.textContent = message
  bar.setAttribute("aria-valuetext", unit ? units : percent)
}

/** A stage's bar is the weighted sum of its lanes. */
function drawStage(row) {
  const name = row.dataset.stageOf
  const stage = name && document.querySelector(`[data-stage-bar="${CSS.escape(name)}"]`)
  if (!stage || stage.dataset.state !== "PROGRESS") return
  let done = 0
  let whole = 0
  for (const lane of document.querySelectorAll(`[data-stage-of="${CSS.escape(name)}"]`)) {
    const weight = Number(lane.dataset.weight)
    whole += weight
    done += weight * shareOf(lane)
  }
  const percent = Math.min(99, (100 * done) / (whole || 1))
  if (percent > stage.value) stage.value = percent
}

/** The fraction of a lane's work that is done, 0..1; a lane that has ended is done. */
function shareOf(lane) {
  const bar = lane.querySelector("progress")
  if (!bar || !ACTIVE.has(bar.dataset.state)) return 1
  return bar.hasAttribute("value") ? bar.value / bar.max : 0
}

/** The number of a whole run: the weighted sum of its stages' bars, also in the title of the page. */
export function drawNumber() {
  const number = document.querySelector("[data-number]")
  if (!number) return
  let done = 0
  for (const stage of document.querySelectorAll("[data-stage]"))
    done += (Number(stage.dataset.weight) * stage.querySelector("progress").value) / 100
  const percent = String(Math.min(99, Math.floor(done + 1e-6)))
  if (number.textContent !== percent) number.textContent = percent
  const title = document.title.replace(/^(\d+ % )?/, `${percent} % `)
  if (document.title !== title) document.title = title
}
