/**
 * Make one piece of the page like the server's newer rendering of it, touching only what differs.
 *
 * Elements are matched by id, else by place and tag. A progress element is kept and given its value, so that it
 * slides, and never slides back within an attempt; an opened <details> stays open; a loaded body stays loaded; what a
 * person types stays. Returns the elements that were added.
 */
export function morph(old, fresh) {
  const added = []
  node(old, fresh, added)
  return added
}

function node(old, fresh, added) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data
    return
  }
  if (old.nodeType !== Node.ELEMENT_NODE || old.hasAttribute("data-loaded")) return
  if (old.tagName === "PROGRESS") return progress(old, fresh)
  if (old.matches("[data-number], [data-unit], [data-percent], [data-message]") && isAhead(old, fresh)) return
  attributes(old, fresh)
  if (old.tagName !== "TEXTAREA" && old.tagName !== "SELECT") children(old, fresh, added)
}

function attributes(old, fresh) {
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value)
  for (const name of old.getAttributeNames())
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "class") old.removeAttribute(name)
}

function progress(old, fresh) {
  const kept = isBarAhead(old, fresh) ? { value: old.value, max: old.max } : null
  attributes(old, fresh)
  if (kept) Object.assign(old, kept)
}

/** A frame may have come while the rendering was on its way: what it moved is newer. */
function isBarAhead(old, fresh) {
  const areRunning = fresh.dataset.state === "PROGRESS" && old.dataset.state === "PROGRESS"
  return areRunning && isSameAttempt(old, fresh) && (!fresh.hasAttribute("value") || fresh.value / fresh.max < old.value / old.max)
}

/** The words beside a bar agree with it; a number that stands alone goes by itself. */
function isAhead(old, fresh) {
  if (old.hasAttribute("data-number")) return isSameAttempt(old, fresh) && Number(fresh.textContent) < Number(old.textContent)
  const [bar, freshBar] = [old, fresh].map((text) => text.closest("[data-task]")?.querySelector("progress"))
  return Boolean(bar && freshBar && isBarAhead(bar, freshBar))
}

function isSameAttempt(old, fresh) {
  const [here, there] = [old, fresh].map((element) => element.closest("[data-attempt]")?.dataset.attempt)
  return here === undefined || there === undefined || here === there
}

function children(old, fresh, added) {
  const byId = new Map()
  for (const child of old.children) if (child.id) byId.set(child.id, child)
  let place = old.firstChild
  for (const next of [...fresh.childNodes]) {
    if (!next.id) place = skip(place, next)
    const known = next.id ? byId.get(next.id) : like(place, next) ? place : null
    if (!known) {
      const copy = document.importNode(next, true)
      old.insertBefore(copy, place)
      if (copy.nodeType === Node.ELEMENT_NODE) added.push(copy)
      continue
    }
    if (known === place) place = place.nextSibling
    else old.insertBefore(known, place)
    node(known, next, added)
  }
  while (place) {
    const rest = place.nextSibling
    place.remove()
    place = rest
  }
}

/** The place of the old node that `next` continues: nameless nodes before it that are of another kind are gone. */
function skip(place, next) {
  if (next.nodeType !== Node.ELEMENT_NODE) return place
  let found = place
  while (found && !found.id && !like(found, next)) found = found.nextSibling
  if (!like(found, next)) return place
  while (place !== found) {
    const gone = place
    place = place.nextSibling
    gone.remove()
  }
  return found
}

function like(old, fresh) {
  return old && old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && !old.id && !fresh.id
}
