/** What every page does for a signed-in person. */
import { start } from "./live.js"
import { offerCopies } from "./copy.js"
import { listen } from "./keys.js"
import { offerPalette } from "./palette.js"
import { offerSelection } from "./selection.js"
import { offerNotifications } from "./toasts.js"

document.documentElement.classList.add("scripted")
document.addEventListener("click", (event) => {
  if (event.target.closest("[aria-disabled=true]")) event.preventDefault()
})
document.addEventListener("submit", (event) => {
  if (event.submitter?.getAttribute("aria-disabled") === "true") event.preventDefault()
})
/** A search response is useless once more has been typed: another one follows. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const typed = event.detail.target.querySelector("#q")?.value
  const searched = event.detail.requestConfig.parameters.q
  if (typed !== undefined && searched !== undefined && typed !== searched) event.detail.shouldSwap = false
})
/** A link to a folded part opens it. */
function unfold() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1))
  if (target instanceof HTMLDetailsElement) target.open = true
  if (target instanceof HTMLInputElement) target.focus()
}
/** Where the entries of a bar don't fit, the present one is in view. */
function showPresent(bar) {
  const present = bar.querySelector("[aria-current]")
  if (!present || bar.scrollWidth <= bar.clientWidth) return
  bar.scrollLeft = present.offsetLeft - bar.offsetLeft - (bar.clientWidth - present.offsetWidth) / 2
}
document.querySelectorAll(".top nav, .tabs, .seg").forEach(showPresent)
addEventListener("hashchange", unfold)
unfold()
document.getElementById("errors")?.focus()
listen()
offerNotifications()
offerCopies()
offerSelection()
offerPalette()
start()
