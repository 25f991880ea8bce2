/** Buttons that copy the text of the `pre` beside them. They stay hidden if the browser has no clipboard. */

const BACK_AFTER_MS = 2000

/** Show and handle the buttons that are on the page now, and those added later. */
export function offerCopies() {
  if (!navigator.clipboard) return
  document.documentElement.classList.add("copies")
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]")
    if (button) copy(button)
  })
}

async function copy(button) {
  const words = button.textContent
  try {
    await navigator.clipboard.writeText(button.closest("figure").querySelector("pre").textContent)
    button.textContent = "Copied"
  } catch {
    button.textContent = "The browser refused to copy"
  }
  setTimeout(() => (button.textContent = words), BACK_AFTER_MS)
}
