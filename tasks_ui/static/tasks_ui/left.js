/** The time that is left, as a range: the formula is that of tasks_ui/waiting.py, where it is explained. */
const LEAST_PERCENT = 5
const LEAST_S = 3

export function leftWords(elapsed, share) {
  const done = Math.min(0.99, share)
  if (100 * done < LEAST_PERCENT || elapsed < LEAST_S) return ""
  const mean = (elapsed * (1 - done)) / done
  const error = 2 / Math.sqrt(100 * done)
  const [low, high] = [mean * (1 - error), mean * (1 + error)]
  const [step, size, unit] = high <= 90 ? [5, 1, "s"] : high <= 5400 ? [60, 60, "min"] : [3600, 3600, "h"]
  const least = (Math.floor(low / step) * step) / size
  const most = (Math.ceil(high / step) * step) / size
  return least > 0 ? `${least}\u2013${most}\u00a0${unit} left` : `up to ${most}\u00a0${unit} left`
}
