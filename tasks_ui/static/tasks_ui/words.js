/**
 * The words for times, exactly as the server writes them: tasks_ui/runs/wording.py (clock, when) and
 * tasks_ui/runs/waiting.py (leftWords, where the formula is explained). A test compares the two on many values.
 */
const LEAST_PERCENT = 5
const LEAST_PERCENT_ALONE = 20
const LEAST_S = 3
const UNITS = [
  [86_400, "d", 3600, "h"],
  [3600, "h", 60, "min"],
  [60, "min", 1, "s"],
]

/** A running time span, in whole seconds and at most two units: `18 s`, `1 min 12 s`, `2 h 5 min`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  const unit = UNITS.find(([size]) => whole >= size)
  if (!unit) return `${whole}\u00a0s`
  const [size, name, small, smallName] = unit
  const rest = Math.floor((whole % size) / small)
  return `${Math.floor(whole / size)}\u00a0${name}${rest ? ` ${rest}\u00a0${smallName}` : ""}`
}

/** A moment, in the reader's own time zone. */
export function when(at, now) {
  const age = (now - at) / 1000
  if (age < 60) return `${Math.max(0, Math.floor(age))}\u00a0s ago`
  if (age < 3600) return `${Math.floor(age / 60)}\u00a0min ago`
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000)
  if (days <= 1) return `${days ? "Yesterday" : "Today"} ${time}`
  return `${at.getDate()} ${at.toLocaleDateString("en-US", { month: "short" })} ${at.getFullYear()}`
}

/**
 * The remaining time, as a range, after `elapsed` seconds in which the fraction `share` (0..1) was done. `usual`: how
 * long such runs take, [least, most] in seconds, or null.
 */
export function leftWords(elapsed, share, usual = null) {
  const bounds = left(elapsed, Math.min(0.99, share), usual)
  if (!bounds) return ""
  const [low, high] = bounds
  const [step, size, unit] = high <= 90 ? [5, 1, "s"] : high <= 5400 ? [60, 60, "min"] : [3600, 3600, "h"]
  const least = (Math.floor(low / step) * step) / size
  const most = (Math.ceil(high / step) * step) / size
  return least > 0 ? `${least}\u2013${most}\u00a0${unit} left` : `up to ${most}\u00a0${unit} left`
}

function left(elapsed, done, usual) {
  const isEarly = 100 * done < LEAST_PERCENT_ALONE
  if (100 * done < LEAST_PERCENT || elapsed < LEAST_S || (isEarly && !usual)) return null
  const mean = (elapsed * (1 - done)) / done
  const error = 2 / Math.sqrt(100 * done)
  const byRate = [mean * (1 - error), mean * (1 + error)]
  if (!usual) return byRate
  const byOthers = [Math.max(0, usual[0] - elapsed), usual[1] - elapsed]
  const both = [Math.max(byRate[0], byOthers[0]), Math.min(byRate[1], byOthers[1])]
  if (both[0] <= both[1]) return both
  if (isEarly) return byOthers[1] > 0 ? byOthers : null
  return byRate
}
