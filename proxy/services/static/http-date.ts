const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
const fixed = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d{2} (?:${months}) \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$`)
const rfc850 = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d{2})-(${months})-(\\d{2}) (\\d{2}:\\d{2}:\\d{2}) GMT$`)
const asctime = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (${months}) ([ \\d]\\d) (\\d{2}:\\d{2}:\\d{2}) (\\d{4})$`)

/** Milliseconds since 1970 of a date as HTTP writes it, in all three of its forms (RFC 9110 section 5.6.7); `undefined` for anything else. */
export function readHttpDate (text: string): number | undefined {
  const normal = fixed.test(text) ? text : fromOlder(text)
  const ms = normal === undefined ? Number.NaN : Date.parse(normal)
  return Number.isNaN(ms) ? undefined : ms
}

function fromOlder (text: string): string | undefined {
  const old = rfc850.exec(text)
  if (old !== null) {
    const [, day, month, year, time] = old
    // "More than 50 years in the future" is the past.
    const century = Number(year) > (new Date().getUTCFullYear() + 50) % 100 ? 1900 : 2000
    return `${day} ${month} ${century + Number(year)} ${time} GMT`
  }
  const c = asctime.exec(text)
  return c === null ? undefined : `${c[2]!.trim()} ${c[1]} ${c[4]} ${c[3]} GMT`
}
