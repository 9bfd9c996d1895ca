// TE.TE: both servers know Transfer-Encoding, and one of them is made to overlook it. Kettle 2019 ("HTTP Desync Attacks"); Jabiyev and others 2021 (T-Reqs);
// CVE-2020-8201 and CVE-2022-32215 (Node), CVE-2021-32715 (hyper), CVE-2021-31922. Anything but the one word "chunked" is refused.
import { chunk, chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a coding in disguise', {
  refused: Object.fromEntries(Object.entries({
    'the second unknown': `${chunked}Transfer-Encoding: cow\r\n`, 'the first unknown': `Transfer-Encoding: cow\r\n${chunked}`, 'twice': `${chunked}${chunked}`,
    'twice in a list': 'Transfer-Encoding: chunked, chunked\r\n', 'gzip before it': 'Transfer-Encoding: gzip, chunked\r\n', 'gzip behind it': 'Transfer-Encoding: chunked, gzip\r\n',
    'identity behind it': 'Transfer-Encoding: chunked, identity\r\n', 'identity before it': 'Transfer-Encoding: identity, chunked\r\n', 'identity alone': 'Transfer-Encoding: identity\r\n',
    'gzip alone': 'Transfer-Encoding: gzip\r\n', 'nothing': 'Transfer-Encoding:\r\n', 'an empty member first': 'Transfer-Encoding: ,chunked\r\n', 'an empty member last': 'Transfer-Encoding: chunked,\r\n',
    'a letter before it': 'Transfer-Encoding: xchunked\r\n', 'a letter behind it': 'Transfer-Encoding: chunkedx\r\n', 'half of it': 'Transfer-Encoding: chunk\r\n', 'quotes': 'Transfer-Encoding: "chunked"\r\n',
    'single quotes': "Transfer-Encoding: 'chunked'\r\n", 'a parameter': 'Transfer-Encoding: chunked;q=1\r\n', 'a tab behind it': 'Transfer-Encoding:\tchunked\t\r\n', 'a vertical tab before it': 'Transfer-Encoding: \x0bchunked\r\n',
    'a vertical tab in place of the space': 'Transfer-Encoding:\x0bchunked\r\n', 'a form feed': 'Transfer-Encoding: \x0cchunked\r\n', 'a NUL behind it': 'Transfer-Encoding: chunked\0\r\n', 'a NUL before it': 'Transfer-Encoding: \0chunked\r\n',
    'a no-break space': 'Transfer-Encoding: \xa0chunked\r\n', 'a next-line character': 'Transfer-Encoding: \x85chunked\r\n', 'the letters of another alphabet': 'Transfer-Encoding: chun\xe2\x84\xaaed\r\n',
    'a colon too many': 'Transfer-Encoding:: chunked\r\n', 'a bracket': 'Transfer-Encoding: [chunked]\r\n', 'a backslash': 'Transfer-Encoding: chunked\\\r\n', 'a comment': 'Transfer-Encoding: chunked (x)\r\n',
    'two words': 'Transfer-Encoding: cow chunked\r\n', 'an equals sign': 'Transfer-Encoding: chunked=false\r\n', 'another case and a list': 'tRANSFER-eNCODING: CHUNKED, \r\n',
  }).map(([what, field]) => [what, post(field, `0\r\n\r\n${hidden}`)]).concat([['in HTTP/1.0', post(chunked, `0\r\n\r\n${hidden}`).replace('1.1', '1.0')]])),
  one: {
    'another case': post('tRANSFER-eNCODING: CHUNKED\r\n', `${chunk(hidden)}0\r\n\r\n`),
    'no space, or many': post('Transfer-Encoding:chunked   \r\n', `${chunk(hidden)}0\r\n\r\n`),
    'a name around it': post(`X-Transfer-Encoding: chunked\r\n${lengthOf(hidden)}`, hidden),
  },
})
