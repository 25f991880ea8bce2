/** Requests to this server. One without a timely response fails: a frozen server must not leave the page waiting. */
export const API = "/api/v1"
export const SOCKET = "/ws/v1/" // a test compares both with the server's own
const PATIENCE_MS = 8000

export function ask(url, { accept = "text/html", patience = PATIENCE_MS, ...options } = {}) {
  return fetch(url, { headers: { Accept: accept }, signal: AbortSignal.timeout(patience), ...options })
}

/** Whether the session is still valid, checked over HTTP. Rejects if the server can't be reached. */
export async function isSignedIn() {
  const answer = await ask(`${API}/tasks/?limit=1`, { accept: "application/json", cache: "no-store" })
  if (!answer.ok && answer.status !== 401) throw new Error(answer.status)
  return answer.ok
}
