// Sizes that two readers take for two numbers. Jabiyev and others 2021 (T-Reqs); Kallus and Bailey 2024 (HTTP Garden); CVE-2021-22959 (Node), CVE-2022-24790
// (Puma), CVE-2013-2028 (nginx), CVE-2015-3183 (Apache). RFC 9112 section 7.1: hexadecimal digits, and nothing else.
import { chunk, chunked, hidden, post, smuggling } from '../support/smuggling.ts'

smuggling('a chunk size', {
  refused: Object.fromEntries(Object.entries({
    'with 0x': '0x1', 'with a plus sign': '+1', 'with a minus sign': '-1', 'of minus zero': '-0', 'with an underscore': '0_1', 'behind a space': ' 1', 'behind a tab': '\t1', 'before a space': '1 ', 'before a tab': '1\t', 'with a fraction': '1.0',
    'before a NUL': '1\0', 'of nothing': '', 'of other digits': '\xb9', 'of a word': 'one', 'with an h': '1h', 'in quotes': '"1"', 'with a comma': '1,1', 'before a letter': '1g', 'of 64 bits and more': '10000000000000001', 'of more than 16 digits': 'fffffffffffffffff',
    'with zeros without end': '0000000000000001', 'of 32 bits too many, as some count': '100000000000001',
  }).map(([what, size]) => [what, post(chunked, `${size}\r\na\r\n0\r\n\r\n${hidden}`)])),
  one: {
    'in capital letters': post(chunked, `${hidden.length.toString(16).toUpperCase()}\r\n${hidden}\r\n0\r\n\r\n`),
    'with some zeros': post(chunked, `000${chunk(hidden)}000\r\n\r\n`),
  },
})
