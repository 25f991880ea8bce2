/** Status messages: how the page is connected, and, for screen readers, what has changed. */

const ANNOUNCE_EVERY_MS = 5000
const SENTENCES = {
  "task.started": () => "The run started.",
  "task.succeeded": () => "The run finished.",
  "task.revoked": () => "The run was cancelled.",
  "task.cancelling": () => "The run is being cancelled.",
  "stage.finished": ({ stage }) => `${stage[0].toUpperCase()}${stage.slice(1)} is done.`,
  "agent.finished": ({ label, status }) => (status === "assessed" ? `${label} is done.` : `${label} is not assessed.`),
  "child.retrying": ({ title }) => `${title} will be retried.`,
}

let latest = ""
let timer = 0

/** At most one sentence in five seconds, the latest; failures at once. */
export function announce({ event, data }) {
  if (event === "task.failed") document.getElementById("alarm").textContent = `The run failed. ${data.error}`
  const sentence = SENTENCES[event]?.(data)
  if (!sentence) return
  latest = sentence
  timer ||= setTimeout(() => {
    timer = 0
    document.getElementById("announce").textContent = latest
  }, event.startsWith("task.") ? 0 : ANNOUNCE_EVERY_MS)
}

/** `isLive`: the page shows live data, so what it shows may be out of date. */
export function describeConnection(status, { seconds, reason }, isLive = true) {
  const pill = document.getElementById("conn")
  document.body.dataset.conn = pill.dataset.conn = status
  pill.hidden = false
  const words = {
    live: "Live",
    polling: `Polling every ${seconds}\u00a0s`,
    stale: `Stale for ${seconds}\u00a0s`,
    offline: "Offline",
  }
  if (pill.textContent !== words[status]) pill.textContent = words[status]
  pill.title = reason
  if (isLive) banner(status, seconds)
  for (const button of document.querySelectorAll("form[method=post] button")) hold(button, status === "offline")
}

function banner(status, seconds) {
  const banner = document.getElementById("stale")
  const isStale = status === "stale" || status === "offline"
  banner.hidden = !isStale
  if (!isStale) return
  const at = new Date(Date.now() - 1000 * seconds).toLocaleTimeString("en-GB")
  const words = `You are looking at the state of ${at}. Runs continue without this page.`
  document.getElementById("stale-words").textContent =
    status === "offline" ? `Offline. ${words}` : `No updates for ${seconds}\u00a0s. ${words} Reconnecting.`
}

function hold(button, isOffline) {
  if (isOffline) {
    button.setAttribute("aria-disabled", "true")
    button.title = "The server can't be reached"
  } else if (button.getAttribute("aria-disabled")) {
    button.removeAttribute("aria-disabled")
    button.removeAttribute("title")
  }
}
