/** `atob` and `btoa`, as in browsers: characters are bytes. */
export function base64Words () {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return {
    btoa (text: unknown): string {
      const bytes = String(text)
      let out = ''
      for (let at = 0; at < bytes.length; at += 3) {
        const [a = 0, b = 0, c = 0] = [0, 1, 2].map((i) => at + i < bytes.length ? bytes.charCodeAt(at + i) : 0)
        if (a > 255 || b > 255 || c > 255) throw new RangeError('btoa takes characters up to U+00FF')
        const left = bytes.length - at
        out += alphabet[a >> 2]! + alphabet[(a & 3) << 4 | b >> 4]! + (left > 1 ? alphabet[(b & 15) << 2 | c >> 6]! : '=') + (left > 2 ? alphabet[c & 63]! : '=')
      }
      return out
    },
    atob (text: unknown): string {
      const signs = String(text).replace(/[\t\n\f\r ]/g, '').replace(/={1,2}$/, '')
      if (signs.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(signs)) throw new SyntaxError('this is not base64')
      let out = ''
      for (let at = 0, bits = 0, held = 0; at < signs.length; at++) {
        held = (held << 6 | alphabet.indexOf(signs[at]!)) & 0xffff
        bits += 6
        if (bits < 8) continue
        bits -= 8
        out += String.fromCharCode(held >> bits & 255)
      }
      return out
    },
  }
}
