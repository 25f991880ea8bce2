/** Sends a form with its files in the background, one request at a time, and shows what the server refused. */
import { morph } from "../tasks_ui/morph.js"

/** `files`: path -> File. `onRefused` is called once the page shows why the server refused the form. */
export function send(form, files, { onRefused }) {
  if (form.dataset.sent) return
  form.dataset.sent = "once"
  const button = form.querySelector("#analyze")
  button.textContent = "Sending"
  const request = new XMLHttpRequest() // fetch does not report upload progress
  request.upload.onprogress = ({ loaded, total }) =>
    (button.textContent = `Sending ${Math.floor((100 * loaded) / Math.max(1, total))}\u00a0%`)
  request.onload = () => answered(request, form, onRefused)
  request.onerror = () => failed(form, onRefused, "The server can't be reached.")
  request.open("POST", form.action)
  request.setRequestHeader("Accept", "text/html")
  request.send(bodyOf(form, files))
}

function bodyOf(form, files) {
  const body = new FormData(form)
  const sorted = [...files.keys()].sort()
  body.set("paths", sorted.length ? JSON.stringify(sorted) : "")
  body.delete("upload")
  for (const path of sorted) body.append("upload", files.get(path))
  return body
}

function answered(request, form, onRefused) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html")
  const fresh = page.getElementById(form.id)
  if (request.status < 300 && !fresh) return location.assign(request.responseURL)
  if (!fresh) return failed(form, onRefused, `The server responded with status ${request.status}. Reload the page if this keeps happening.`)
  morph(form, fresh)
  showErrors(form, page.getElementById("errors"))
  delete form.dataset.sent
  onRefused()
}

function failed(form, onRefused, reason) {
  const note = document.createElement("div")
  note.id = "errors"
  note.className = "note"
  note.dataset.state = "FAILURE"
  note.tabIndex = -1
  note.setAttribute("role", "alert")
  const words = document.createElement("div")
  words.textContent = `Upload failed. ${reason} The files are still listed here: try again.`
  note.append(words)
  showErrors(form, note)
  delete form.dataset.sent
  onRefused()
}

/** Put the note above the form, replacing an earlier one, and go to it. */
function showErrors(form, note) {
  document.getElementById("errors")?.remove()
  if (!note) return
  form.before(note)
  note.focus()
}
