/** The page of someone else's run, which staff read: it is live, and changes nothing. */
import { start } from "./live.js"

start({ isReading: true })
