/** The bar under the filters: how many runs are selected, and how many of them each action applies to. */

export function offerSelection() {
  document.addEventListener("change", (event) => event.target.matches(".pick") && drawSelection())
  document.addEventListener("click", (event) => event.target.closest("#clear-selection") && clearSelection())
  document.addEventListener("htmx:afterSettle", drawSelection)
  drawSelection()
}

/** Also after a refresh: a run may have ended, or left the page, since it was selected. */
export function drawSelection() {
  const bar = document.getElementById("bulk")
  if (!bar) return
  const selected = [...document.querySelectorAll(".pick:checked")]
  write(bar.querySelector("#selected"), `${selected.length} selected`)
  for (const button of bar.querySelectorAll("[data-exactly]")) button.hidden = selected.length !== Number(button.dataset.exactly)
  for (const button of bar.querySelectorAll("[name=act]:not([data-exactly])")) {
    const count = selected.filter((box) => box.dataset.can === button.value).length
    button.hidden = count === 0
    write(button.querySelector("[data-count]"), String(count))
  }
}

/** False if nothing was selected. */
export function clearSelection() {
  const selected = [...document.querySelectorAll(".pick:checked")]
  for (const box of selected) box.checked = false
  drawSelection()
  return selected.length > 0
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}
