// Names that one server takes for Transfer-Encoding or Content-Length and another one does not see. Kettle 2019; Jabiyev and others 2021 (T-Reqs); CVE-2019-16276 (Go),
// CVE-2019-20445 (Netty), CVE-2022-35256 (Node), CVE-2023-25725 (HAProxy: the empty name). RFC 9112 section 5.1.
import { hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a name', {
  refused: Object.fromEntries(Object.entries({
    'with a space before the colon': 'Transfer-Encoding : chunked', 'of a length, with a space before the colon': 'Content-Length : 0', 'with a tab before the colon': 'Transfer-Encoding\t: chunked', 'of nothing': ': chunked', 'of nothing but a space': ' : chunked',
    'with a NUL': 'Transfer-Encoding\0: chunked', 'behind a NUL': '\0Transfer-Encoding: chunked', 'behind a control character': '\x01Transfer-Encoding: chunked', 'with a vertical tab': 'Transfer-Encoding\x0b: chunked', 'with a no-break space': 'Transfer-Encoding\xa0: chunked',
    'with a letter of another alphabet': 'Transfer-Encod\xc4\xb1ng: chunked', 'in quotes': '"Transfer-Encoding": chunked', 'with brackets': 'X{A}: a', 'with a slash': 'X/A: a', 'with parentheses': 'X(A): a', 'without a colon': 'Transfer-Encoding chunked',
    'with an equals sign': 'Transfer-Encoding=chunked', 'with a space in it': 'X: a\r\nTransfer Encoding: chunked', 'behind a byte order mark': '\xef\xbb\xbfTransfer-Encoding: chunked', 'with a DEL': 'Transfer-Encoding\x7f: chunked',
  }).map(([what, field]) => [what, post(`${field}\r\n${lengthOf(hidden)}`, hidden)])),
  one: {
    'that is longer, and another one': post(`X-Transfer-Encoding: chunked\r\nTransfer-Encoding-X: chunked\r\nTransfer--Encoding: chunked\r\nTransferEncoding: chunked\r\n${lengthOf(hidden)}`, hidden),
  },
})
