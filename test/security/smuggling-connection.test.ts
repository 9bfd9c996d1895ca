// A Connection field that takes framing or identity out of a request, and upgrades that nobody controls. Davison 2019 ("Abusing HTTP hop-by-hop request headers");
// Bishop Fox 2020 ("h2c smuggling"); CVE-2021-33197 (Go), CVE-2022-31813 (Apache). RFC 9110 section 7.6.1.
import { chunk, chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a Connection field', {
  one: {
    'that names the length': post(`Connection: Content-Length, Transfer-Encoding, Host\r\n${lengthOf(hidden)}`, hidden),
    'that names the coding': post(`Connection: Transfer-Encoding\r\n${chunked}`, `${chunk(hidden)}0\r\n\r\n`),
    'that asks for h2c': post(`Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n${lengthOf(hidden)}`, hidden),
    'that asks for h2c and does not name its settings': post(`Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2_Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n${lengthOf(hidden)}`, hidden),
    'that asks for HTTP/2.0': post(`Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n${lengthOf(hidden)}`, hidden),
    'that asks for a WebSocket in a POST': post(`Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${lengthOf(hidden)}`, hidden),
    'in two lines, with empty members': post(`Connection: ,\r\nConnection: keep-alive,,x\r\nX: y\r\n${lengthOf(hidden)}`, hidden),
    'of proxies': post(`Proxy-Connection: keep-alive\r\nProxy_Connection: close\r\nKeep-Alive: 300\r\n${lengthOf(hidden)}`, hidden),
  },
})
