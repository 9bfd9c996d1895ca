let text = ''
let validUntil = 0

/** The time of now as HTTP writes it (RFC 9110 section 5.6.7), made once a second. */
export function httpDate (): string {
  const now = Date.now()
  if (now >= validUntil) {
    text = new Date(now).toUTCString()
    validUntil = now - now % 1000 + 1000
  }
  return text
}
