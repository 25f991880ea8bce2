/**
 * Update one part of the page to match the server's newer rendering of it, touching only the differences.
 *
 * Elements are matched by id, otherwise by position and tag. A progress element is kept and given its value, so that it
 * slides, and never slides back within an attempt; an opened <details> stays open; a loaded body stays loaded; what a
 * person has typed stays. Returns the elements that were added.
 */
export function morph(old, fresh) {
  const added = []
  node(old, fresh, { added, isSameAttempt: true })
  return added
}

function node(old, fresh, outer) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data
    return
  }
  if (old.nodeType !== Node.ELEMENT_NODE || old.hasAttribute("data-loaded")) return
  const context = within(old, fresh, outer)
  if (context.isSameAttempt && isAhead(old, fresh)) {
    if (!old.matches("[data-task]")) return
    attributes(old, fresh, ["data-state"])
  } else attributes(old, fresh, [])
  if (old.tagName !== "TEXTAREA" && old.tagName !== "SELECT") children(old, fresh, context)
}

/** The attempt is compared before the attributes of the element that names it are copied. */
function within(old, fresh, context) {
  if (!old.hasAttribute("data-attempt")) return context
  return { ...context, isSameAttempt: old.dataset.attempt === fresh.dataset.attempt }
}

/** Copy the attributes of `fresh`, except those that the person or the page controls, and those in `kept`. */
function attributes(old, fresh, kept) {
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && name !== "open" && !kept.includes(name)) old.setAttribute(name, value)
  for (const name of old.getAttributeNames())
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "class") old.removeAttribute(name)
}

/**
 * A frame may have arrived while the rendering was on its way; what it updated is newer: a bar, its row's state, and
 * the text beside it, which matches it.
 */
function isAhead(old, fresh) {
  if (old.tagName === "PROGRESS") return isBarAhead(old, fresh)
  if (!old.matches("[data-task], .glyph, [data-unit], [data-percent], [data-message]")) return false
  const [bar, freshBar] = [old, fresh].map((part) => part.closest("[data-task]")?.querySelector("progress"))
  return Boolean(bar && freshBar && isBarAhead(bar, freshBar))
}

/** Within an attempt, progress goes from counting to a share, and from a share to a larger one, never back. */
function isBarAhead(old, fresh) {
  if (old.dataset.state !== "PROGRESS") return false
  if (fresh.dataset.state === "STARTED") return true
  return fresh.dataset.state === "PROGRESS" && shareOf(fresh) < shareOf(old)
}

function shareOf(bar) {
  return bar.hasAttribute("value") ? bar.value / bar.max : 0
}

function children(old, fresh, context) {
  const byId = new Map()
  for (const child of old.children) if (child.id) byId.set(child.id, child)
  let place = old.firstChild
  for (const next of [...fresh.childNodes]) {
    if (!next.id) place = skip(place, next)
    const known = next.id ? byId.get(next.id) : like(place, next) ? place : null
    if (!known) {
      const copy = document.importNode(next, true)
      old.insertBefore(copy, place)
      if (copy.nodeType === Node.ELEMENT_NODE) context.added.push(copy)
      continue
    }
    if (known === place) place = place.nextSibling
    else old.insertBefore(known, place)
    node(known, next, context)
  }
  while (place) {
    const rest = place.nextSibling
    place.remove()
    place = rest
  }
}

/** The old node that matches `next`: the nodes before it, which have no id and are of another kind, are removed. */
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
