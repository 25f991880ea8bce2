/**
 * The live connection: a WebSocket that reconnects by itself, and HTTP if sockets are blocked.
 *
 * Frames are hints. Each durable event carries a seq; the feed resumes from the last one that it has, so none is missed
 * when a connection is lost, and none is passed on twice. What it reports to its listener:
 *   onFrame(frame)            every frame of the protocol that is new
 *   onStatus(name, detail)    "live" | "polling" | "stale" | "offline"; detail: { seconds, reason }, seconds: time
 *                             without news, or between polls; reason: why sockets don't work, if known
 *   onPoll()                  read the page's state from the server; a promise
 */
import { API, SOCKET, ask, isSignedIn } from "./ask.js"

const POLL_S = 3
const POLL_STALE_S = 3 * POLL_S
const OPEN_PATIENCE_S = 10
const BEHIND_S = 3
const RETRY_MAX_S = 30
const RETRY_POLLING_S = 30
const FAILURES_TO_POLL = 2
const FAILURES_TO_GIVE_UP = 5
const RELOADED = "reloaded-to-sign-in"
const NO_COOKIE = "A proxy drops the session cookie from WebSockets. Select for details."

export class Feed {
  #socket = null
  #watched = new Map() // task id -> last seq that we have
  #scopes = new Set()
  #heartbeat = 20
  #lastNews = Date.now()
  #tries = 0
  #failedPolls = 0
  #retryTimer = 0
  #polling = null
  #openTimer = 0
  #behindSince = 0
  #said = ""
  #reason = ""
  #wasOpen = false

  constructor({ onFrame, onStatus, onPoll }) {
    Object.assign(this, { onFrame, onStatus, onPoll })
    setInterval(() => this.#check(), 1000)
    addEventListener("online", () => this.#connectNow())
    addEventListener("offline", () => this.#say("offline"))
    addEventListener("focus", () => this.#connectNow())
    document.addEventListener("visibilitychange", () => document.hidden || this.#connectNow())
    this.#connect()
  }

  /** Follow one task from the event after `seq`. */
  watch(taskId, seq) {
    if (this.#watched.has(taskId)) return
    this.#watched.set(taskId, seq)
    this.#send({ type: "subscribe", task_id: taskId, after_seq: seq })
  }

  unwatch(taskId) {
    if (this.#watched.delete(taskId)) this.#send({ type: "unsubscribe", task_id: taskId })
  }

  /** Follow all of one's own tasks. */
  watchMine() {
    this.#watchScope("mine")
  }

  /** Follow everyone's tasks: for operators. */
  watchAll() {
    this.#watchScope("all")
  }

  #watchScope(scope) {
    this.#scopes.add(scope)
    this.#send({ type: "subscribe", scope })
  }

  /** Report whether the page could read its newer state from the server. */
  setBehind(isBehind) {
    this.#behindSince = isBehind ? this.#behindSince || Date.now() : 0
    this.#check()
  }

  get watched() {
    return [...this.#watched.keys()]
  }

  #connect() {
    clearTimeout(this.#retryTimer)
    const scheme = location.protocol === "https:" ? "wss" : "ws"
    const socket = new WebSocket(`${scheme}://${location.host}${SOCKET}`)
    this.#socket = socket
    socket.onmessage = (message) => this.#receive(socket, JSON.parse(message.data))
    socket.onclose = (event) => this.#closed(socket, event.code)
    clearTimeout(this.#openTimer)
    this.#openTimer = setTimeout(() => this.#drop(socket), 1000 * OPEN_PATIENCE_S)
  }

  /** Give up on a socket that sends nothing. */
  #drop(socket) {
    socket.close()
    this.#closed(socket, 0)
  }

  #connectNow() {
    if (!this.#socket || this.#socket.readyState > WebSocket.OPEN) {
      this.#tries = 0
      this.#connect()
    } else this.#check()
  }

  #receive(socket, frame) {
    if (socket !== this.#socket) return
    this.#lastNews = Date.now()
    if (frame.type === "welcome") this.#opened(frame)
    if (frame.type === "pong" || frame.type === "welcome" || !this.#isNews(frame)) return
    this.onFrame(frame)
  }

  #opened(welcome) {
    this.#heartbeat = welcome.heartbeat_s
    this.#tries = this.#failedPolls = 0
    this.#reason = ""
    sessionStorage.removeItem(RELOADED)
    clearTimeout(this.#openTimer)
    this.#polling = null
    for (const [id, seq] of this.#watched) this.#send({ type: "subscribe", task_id: id, after_seq: seq })
    for (const scope of this.#scopes) this.#send({ type: "subscribe", scope })
    this.#say("live")
    if (this.#wasOpen) this.onPoll().catch(() => {}) // anything missed while disconnected is read from the server at once
    this.#wasOpen = true
  }

  #isNews(frame) {
    if (frame.type === "resync_required") this.#watched.set(frame.task_id, 0)
    if (frame.type !== "event" || !this.#watched.has(frame.task_id)) return true
    if (frame.seq <= this.#watched.get(frame.task_id)) return false
    this.#watched.set(frame.task_id, frame.seq)
    return true
  }

  async #closed(socket, code) {
    if (socket !== this.#socket) return
    this.#socket = null
    clearTimeout(this.#openTimer)
    if (code === 4401 && (await this.#isSignedOut())) return location.reload() // the server redirects to the sign-in page
    if (this.#socket) return // connected again meanwhile
    this.#tries += 1
    if ((this.#reason || this.#tries >= FAILURES_TO_POLL) && !this.#polling) this.#poll()
    const wait = this.#polling ? RETRY_POLLING_S : Math.min(RETRY_MAX_S, 0.5 * 2 ** this.#tries)
    this.#retryTimer = setTimeout(() => this.#connect(), 1000 * wait * (0.5 + Math.random() / 2))
  }

  /** Whether a reload leads to the sign-in page. It is tried once: if it did not help, it never will. */
  async #isSignedOut() {
    try {
      if (await isSignedIn()) this.#reason = NO_COOKIE
      else if (!sessionStorage.getItem(RELOADED)) {
        sessionStorage.setItem(RELOADED, "yes")
        return true
      }
    } catch {
      // the server can't be reached: unknown
    }
    return false
  }

  /** Poll over HTTP until a socket opens. */
  async #poll() {
    const round = (this.#polling = {})
    while (this.#polling === round) {
      await this.#pollOnce()
      await new Promise((done) => setTimeout(done, 1000 * POLL_S))
    }
  }

  /** The same events over HTTP, along with the page's own state. */
  async #pollOnce() {
    try {
      for (const [id, seq] of this.#watched) await this.#readEvents(id, seq)
      await this.onPoll()
      this.#failedPolls = 0
      this.#lastNews = Date.now()
      if (this.#polling) this.#say("polling", POLL_S)
    } catch {
      this.#failedPolls += 1
    }
  }

  async #readEvents(id, seq) {
    const answer = await ask(`${API}/tasks/${id}/events?after_seq=${seq}`, { accept: "application/json" })
    if (answer.status === 404) return this.#watched.delete(id)
    if (answer.status === 401 && (await this.#isSignedOut())) return location.reload()
    if (!answer.ok) throw new Error(answer.status)
    for (const event of (await answer.json()).events) {
      const frame = { type: "event", ...event, task_id: id }
      if (this.#isNews(frame)) this.onFrame(frame)
    }
  }

  /** Once a second: is there news, is there a pong? */
  #check() {
    const silence = Math.round((Date.now() - this.#lastNews) / 1000)
    if (!navigator.onLine || this.#failedPolls >= FAILURES_TO_GIVE_UP) return this.#say("offline", silence)
    if (this.#socket?.readyState === WebSocket.OPEN) {
      if (silence >= this.#heartbeat / 2) this.#send({ type: "ping" })
      if (silence > 2 * this.#heartbeat) this.#drop(this.#socket)
      else if (this.#wasOpen) return this.#sayOpen(silence)
    }
    if (this.#polling && !this.#failedPolls && silence <= POLL_STALE_S) return
    if (silence > (this.#wasOpen ? 2 : 5)) this.#say("stale", silence)
  }

  /** An open socket is live while pings are answered and the page can be read. */
  #sayOpen(silence) {
    const behind = this.#behindSince ? Math.round((Date.now() - this.#behindSince) / 1000) : 0
    if (silence > this.#heartbeat || behind > BEHIND_S) this.#say("stale", Math.max(silence, behind))
    else this.#say("live")
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  #say(status, seconds = 0) {
    const said = `${status} ${this.#reason}`
    if (said === this.#said && status !== "stale") return
    this.#said = said
    this.onStatus(status, { seconds, reason: this.#reason })
  }
}
