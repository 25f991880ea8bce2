/** Tests what live updates need, one thing after another, and shows what is wrong and who can fix it. */
import { SOCKET, ask, isSignedIn } from "./ask.js"

const SOCKET_PATIENCE_MS = 5000
const list = document.getElementById("checks")
const socketAddress = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${SOCKET}`
const REFUSALS = {
  4401: "The server doesn't recognize this session. Sign in again.",
  4403: "The server refused the page's origin. List it in CSRF_TRUSTED_ORIGINS, and configure the proxy to pass the Host header on.",
  4429: "Too many sockets are open in this account. Close other tabs.",
  1013: "The server is too busy, or can't reach its database. The page will try again by itself.",
}
const NO_COOKIE =
  "The session cookie arrives with pages, but not with the WebSocket: a proxy drops the Cookie header from upgrade requests. Configure it to pass Cookie for /ws/. Until then, pages poll."

const TESTS = {
  async http() {
    const from = performance.now()
    const answer = await ask("/health/live", { cache: "no-store" })
    if (!answer.ok) throw new Error(`It responded with status ${answer.status}.`)
    return `Responded in ${Math.round(performance.now() - from)}\u00a0ms`
  },
  async origin() {
    const seen = list.dataset.origin
    if (seen === location.origin) return seen
    throw new Error(`The browser uses ${location.origin}, the server sees ${seen}. Configure the proxy to pass Host and X-Forwarded-Proto, and set HTTPS=1.`)
  },
  async session() {
    if (await isSignedIn()) return "It does"
    throw new Error("The API doesn't see it. Allow cookies for this site, and configure the proxy to pass them.")
  },
  async socket() {
    const from = performance.now()
    await open((frame) => frame.type === "welcome")
    return `Connected in ${Math.round(performance.now() - from)}\u00a0ms`
  },
  async news() {
    let from = 0
    await open((frame, socket) => {
      if (frame.type === "welcome") {
        from = performance.now()
        socket.send(JSON.stringify({ type: "ping" }))
      }
      return frame.type === "pong"
    })
    return `A ping takes ${Math.round(performance.now() - from)}\u00a0ms`
  },
}

/** Keeps a socket open until `isEnough` accepts a frame. Rejects with a message about what went wrong. */
function open(isEnough) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(socketAddress)
    let wasOpen = false
    const timer = setTimeout(() => end(new Error(`Nothing came back within ${SOCKET_PATIENCE_MS / 1000}\u00a0s. A proxy or a filter holds frames back.`)), SOCKET_PATIENCE_MS)
    const end = (error) => {
      clearTimeout(timer)
      socket.onclose = null
      socket.close()
      error ? reject(error) : resolve()
    }
    socket.onopen = () => (wasOpen = true)
    socket.onmessage = (message) => isEnough(JSON.parse(message.data), socket) && end()
    socket.onclose = async (event) => end(new Error(await reason(event.code, wasOpen)))
  })
}

async function reason(code, wasOpen) {
  if (code === 4401 && (await isSignedIn().catch(() => false))) return NO_COOKIE
  if (REFUSALS[code]) return REFUSALS[code]
  if (wasOpen) return `It was closed again, with code ${code}.`
  return "It doesn't open. A proxy has to pass Upgrade and Connection for /ws/; some filters block WebSockets. The pages poll instead."
}

function show(name, state, words) {
  const item = list.querySelector(`[data-check="${name}"]`)
  const use = item.querySelector("use")
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${state}`))
  item.dataset.state = state
  item.querySelector("[data-words]").textContent = words
}

async function test() {
  for (const name of Object.keys(TESTS)) {
    show(name, "PROGRESS", "Testing")
    try {
      show(name, "SUCCESS", await TESTS[name]())
    } catch (error) {
      show(name, "FAILURE", error.message)
    }
  }
  list.dataset.done = "yes"
}

document.getElementById("test-again").addEventListener("click", test)
test()
