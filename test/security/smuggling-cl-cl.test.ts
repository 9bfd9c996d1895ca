// CL.CL: two lengths, or one that two servers read as two numbers. Linhart and others 2005; Grenfeldt and others 2021 ("Attacking Websites Using HTTP Request
// Smuggling"); CVE-2018-7164, CVE-2021-40346 (HAProxy), CVE-2023-25690, CVE-2023-40175 (Puma). RFC 9112 section 6.3.
import { hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a length that is two', {
  refused: Object.fromEntries(Object.entries({
    'twice, different': `Content-Length: 0\r\n${lengthOf(hidden)}`, 'twice, the same': `${lengthOf(hidden)}${lengthOf(hidden)}`, 'twice, in another case': `${lengthOf(hidden)}cONTENT-lENGTH: 0\r\n`,
    'a list': 'Content-Length: 0, 0\r\n', 'a list without a space': `Content-Length: 0,${hidden.length}\r\n`, 'a list of one': 'Content-Length: 0,\r\n', 'two numbers': 'Content-Length: 0 0\r\n',
    'a plus sign': 'Content-Length: +0\r\n', 'a minus sign': 'Content-Length: -0\r\n', 'a negative number': 'Content-Length: -1\r\n', 'hexadecimal': 'Content-Length: 0x0\r\n', 'octal': 'Content-Length: 0o7\r\n', 'an exponent': 'Content-Length: 0e0\r\n',
    'a fraction': 'Content-Length: 0.0\r\n', 'an underscore in it': 'Content-Length: 3_3\r\n', 'other digits': 'Content-Length: \xb2\r\n', 'quotes': 'Content-Length: "0"\r\n', 'nothing': 'Content-Length:\r\n', 'a space': 'Content-Length:  \r\n',
    'a tab behind it': 'Content-Length: 0\t\r\n', 'a NUL behind it': 'Content-Length: 0\0\r\n', 'a no-break space behind it': 'Content-Length: 0\xa0\r\n', 'a vertical tab behind it': 'Content-Length: 0\x0b\r\n', 'a unit': 'Content-Length: 0b\r\n',
    'more than 64 bits': `Content-Length: ${2n ** 64n + BigInt(hidden.length)}\r\n`, 'more than can be counted': 'Content-Length: 9999999999999999\r\n', 'zeros without end': `Content-Length: ${'0'.repeat(5_000)}\r\n`, 'a word': 'Content-Length: zero\r\n',
  }).map(([what, field]) => [what, post(field, hidden)])),
  one: {
    'leading zeros': post(`Content-Length: 000${hidden.length}\r\n`, hidden),
    'spaces around it': post(`Content-Length:   ${hidden.length}  \r\n`, hidden),
    'in HTTP/1.0 with keep-alive': post(`Connection: keep-alive\r\n${lengthOf(hidden)}`, hidden).replace('1.1', '1.0'),
    'a name around it': post(`X-Content-Length: 0\r\n${lengthOf(hidden)}`, hidden),
  },
})
