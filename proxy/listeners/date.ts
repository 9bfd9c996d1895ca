let text = ''
let validUntil = 0

/** The time of now as HTTP writes it (RFC 9110 section 5.6.7), made once a second. */
export function httpDate (): string {
  const now = new Date()
  const ms = now.getTime()
  // The clock may have been set back.
  if (ms >= validUntil || ms < validUntil - 1000) {
    text = now.toUTCString()
    validUntil = ms - ms % 1000 + 1000
  }
  return text
}
