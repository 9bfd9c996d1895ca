const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const fixdate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z][a-z]) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const rfc850 = /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z][a-z])-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/
const asctime = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z][a-z]) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/

/** Milliseconds since 1970 of one of the three forms of RFC 9110 section 5.6.7, and of nothing else; `undefined` for what is none. */
export function httpDateMs (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const plain = fixdate.exec(text)
  if (plain !== null) return at(Number(plain[3]), plain[2]!, plain[1]!, plain.slice(4))
  const old = rfc850.exec(text)
  if (old !== null) return at(fullYear(Number(old[3])), old[2]!, old[1]!, old.slice(4))
  const c = asctime.exec(text)
  return c === null ? undefined : at(Number(c[6]), c[1]!, c[2]!, c.slice(3, 6))
}

/** Two digits are never more than 50 years ahead. */
function fullYear (digits: number): number {
  const now = new Date().getUTCFullYear()
  const year = now - now % 100 + digits
  return year > now + 50 ? year - 100 : year
}

function at (year: number, monthName: string, day: string, [hours, minutes, seconds]: readonly string[]): number | undefined {
  const month = months.indexOf(monthName)
  if (month === -1 || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined
  const ms = Date.UTC(year, month, Number(day), Number(hours), Number(minutes), Number(seconds))
  return new Date(ms).getUTCDate() === Number(day) || Number(seconds) === 60 ? ms : undefined
}
