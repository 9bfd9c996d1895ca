// CL.0 and TE.0: a server that thinks that no body comes takes it for the next request. 0.CL: the first server thinks so. Kettle 2022 ("Browser-Powered Desync
// Attacks") and 2025 ("HTTP/1.1 must die: the desync endgame"), Expect included; TE.0 2024 (Moctezuma, Bustamante). What has a body arrives with it.
import { chunk, chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a body where none is expected', {
  refused: {
    'an Expect behind a bare LF': post(`Expect:\n100-continue\r\n${lengthOf(hidden)}`, hidden),
    'an Expect that is folded': post(`Expect:\r\n 100-continue\r\n${lengthOf(hidden)}`, hidden),
  },
  one: {
    'GET': post(lengthOf(hidden), hidden).replace('POST', 'GET'),
    'GET, chunked (TE.0)': post(chunked, `${chunk(hidden)}0\r\n\r\n`).replace('POST', 'GET'),
    'OPTIONS, with a target like a file': post(lengthOf(hidden), hidden, '/style.css').replace('POST', 'OPTIONS'),
    'OPTIONS, chunked (TE.0)': post(chunked, `${chunk(hidden)}0\r\n\r\n`).replace('POST', 'OPTIONS'),
    'DELETE': post(lengthOf(hidden), hidden).replace('POST', 'DELETE'),
    'a name of Windows devices (0.CL)': post(lengthOf(hidden), hidden, '/con'),
    'an Expect before it': post(`Expect: 100-continue\r\n${lengthOf(hidden)}`, hidden),
    'an Expect in another case': post(`Expect: 100-Continue\r\n${lengthOf(hidden)}`, hidden),
    'an Expect in HTTP/1.0': post(`Expect: the-best\r\n${lengthOf(hidden)}`, hidden).replace('1.1', '1.0'),
  },
})

smuggling('an Expect that is not quite one (0.CL)', {
  status: 417,
  refused: Object.fromEntries(['y 100-continue', '100-continue, 100-continue', '100-continue x', '100-continue;x', '200-ok', '100', '', '"100-continue"', '100-continue\r\nExpect: 100-continue'].map((expect) => [
    JSON.stringify(expect), post(`Expect: ${expect}\r\n${lengthOf(hidden)}`, hidden),
  ])),
})
