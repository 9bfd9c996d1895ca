// Names that become the same variable for servers that hand fields on in an environment: "_" for "-" everywhere, every other character as well in lighttpd and
// Apache 2.2. Grenfeldt and others 2021; Ben Kallus's reports on CGI gateways (2023); CVE-2015-3185. A second framing under such a name is refused.
import { hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a second name', {
  refused: Object.fromEntries(['_', '.', '!', '~', '+', '*', '^', '|', '`', "'", '#', '$', '%', '&'].flatMap((character) => [
    [`for the length, with ${character}`, post(`Content${character}Length: 0\r\n`, hidden)],
    [`for the length beside the length, with ${character}`, post(`content${character}length: 0\r\n${lengthOf(hidden)}`, hidden)],
    [`for the coding, with ${character}`, post(`Transfer${character}Encoding: chunked\r\n${lengthOf(hidden)}`, `0\r\n\r\n${hidden}`)],
  ])),
  one: {
    'that is longer': post(`X_Content_Length: 0\r\nContentXLengths: 0\r\n${lengthOf(hidden)}`, hidden),
  },
})
