import { css, input, rows, scheme, text } from './rule.ts'

const handlers = '(?:abort|afterprint|animation(?:start|end|iteration|cancel)|auxclick|before(?:input|unload|print|toggle|scriptexecute|copy|cut|paste)|blur|' +
  'bounce|can ?play(?:through)?|change|click|close|contextmenu|copy|cuechange|cut|dblclick|drag(?:end|enter|exit|leave|over|start)?|drop|durationchange|' +
  'ended|end|begin|repeat|error|finish|focus(?:in|out)?|formdata|fullscreenchange|hashchange|input|invalid|key(?:down|press|up)|load(?:ed(?:data|metadata)|end|start)?|' +
  'message|mouse(?:down|enter|leave|move|out|over|up|wheel)|page(?:hide|show)|paste|pause|play(?:ing)?|pointer(?:down|enter|leave|move|out|over|rawupdate|up|cancel)|' +
  'popstate|progress|propertychange|ratechange|readystatechange|reset|resize|scroll(?:end)?|search|seek(?:ed|ing)|select(?:start|ionchange)?|show|stalled|start|storage|' +
  'submit|suspend|timeupdate|toggle|touch(?:cancel|end|move|start)|transition(?:cancel|end|run|start)|unhandledrejection|unload|volumechange|waiting|wheel|webkit\\w+)'

const call = '(?:alert|confirm|prompt|eval|fetch|import|print|atob|settimeout|setinterval|function|console\\.\\w+|document\\.\\w+|window(?:\\.|\\[)|location(?:\\.|=)|top\\[|self\\[|parent\\[|this\\[|globalthis)'

/** Cross-site scripting. Ordinary markup (<b>, <p>, <img src>) passes at level 1; what runs code does not. */
export const xssRules = [
  ...rows({ category: 'xss', transformations: text }, [
    ['xss-script-tag', 'critical', 1, 'Script element with attributes or code, or behind the end of another element',
      '<\\s*/?\\s*\\w{0,10}:?script(?:[/\\x00-\\x1f]|\\s[^>]*=\\s*["\']?\\s*(?:[a-z]{2,10}:|[/\\\\]))|^[^<]{0,20}[\'"]<\\s*script\\s*>[\'"][^<\\w]{0,3}$|<\\s*\\w{0,10}:?script\\b[^>]*>(?:[^\\s<,.)\\x60\'"][^<]*</\\s*script|\\s*[\\w$.]{1,60}\\s*(?:[(=\\x60]|\\[\\S)|\\s*[!({\\[;/+~-]\\s*\\S|\\s*(?:throw|import|var|let|const)\\s)|["\'>]\\s*/?>\\s*<\\s*script\\b|<scr(?:ipt)?<scr|<\\s*script\\s*$|^[^\\s<]{0,80}<\\s*script\\s*>\\s*$'],
    ['xss-script-word', 'critical', 2, 'Script element by its name', '<\\s*/?\\s*[\\w]{0,10}:?script\\b'],
    ['xss-handler-in-tag', 'critical', 1, 'Event handler attribute inside a tag. An arrow function or a name in braces, as JSX has them, does nothing in HTML',
      '<[a-z!?/][^>]*?[\\s/"\'\\x60+]on[a-z]{3,30}\\s*=\\s*(?:[^{\\s>]|$|\\{\\s*(?:[\\w.$]{1,60}\\s*(?:[(\\x60;]|=[^>]|\\[)|\\([^)]{0,60}\\)\\s*[(\\x60]|[^\\s\\w($]))'],
    ['xss-handler-breakout', 'critical', 1, 'Event handler behind a quote that was closed', `["'\\x60][\\s/]*on${handlers}\\s*=\\s*(?:[^{\\s]|$|\\{[^}]*[(\\x60])`],
    ['xss-handler-call', 'critical', 1, 'Event handler with a call as its value', `(?:^|[\\s/"'\\x60])on${handlers}\\s*=\\s*["'\\x60]?[^"'\\s]{0,40}?${call}`],
    ['xss-active-tag', 'critical', 1, 'Element that loads or runs content, with attributes',
      '<\\s*(?:i?frame|frameset|object|embed|applet|base|link|isindex|portal|marquee|bgsound|ilayer|layer|xss|animate|animatetransform|foreignobject|fencedframe|image)(?:/|\\x0c|\\s[^>]*=)|<\\s*(?:set\\s+attributename|meta\\s[^>]*http-equiv|(?:svg|math)(?:/[^>]|[^>]*>\\s*<(?:a|use|set|animate|script|image|style|mi|desc|title|foreignobject)\\b[^>]*(?:=|>)))|<(?:plaintext|xmp)>\\s*<'],
    ['xss-active-word', 'critical', 2, 'The same elements by their names',
      '<\\s*/?\\s*(?:iframe|frame|frameset|object|embed|applet|meta|base|link|svg|math|isindex|portal|marquee|bgsound|ilayer|layer|xss|animate|animatetransform|set\\s+attributename|foreignobject|fencedframe|noembed|plaintext|xmp|listing)(?:[\\s/>"\'\\x0c]|$)'],
    ['xss-srcdoc', 'critical', 1, 'Attributes that carry a document or an action',
      '[\\s/"\']srcdoc\\s*=|[\\s/"\']formaction\\s*=|[\\s/"\'](?:xlink:)?href\\s*=\\s*["\']?\\s*(?:javascript|vbscript|data\\s*:\\s*text)|<[a-z][^>]*?[\\s/"\'](?:style)\\s*=\\s*["\']?[^"\'>]{0,200}?(?:expression|url\\s*\\(\\s*["\']?(?:javascript|data:text)|behaviou?r\\s*:|-moz-binding)'],
    ['xss-data-uri', 'critical', 1, 'Data URL with a document in it', 'data\\s*:\\s*(?:text/(?:html|xml|javascript)|application/(?:xhtml\\+xml|xml|javascript|x-javascript))\\s*[;,]|data:[^,\\s]{0,60},\\s*<(?:script|svg|html)'],
    ['xss-data-svg', 'warning', 1, 'Data URL with an SVG image', 'data\\s*:\\s*image/svg\\+xml'],
    ['xss-breakout-call', 'critical', 1, 'Call of a script function behind a closed string',
      `(?:^|[^\\w\\s])["'\\x60]\\s*[\\])}]*\\s*[-+*/;,|&^?:%<>=!]+\\s*[\\[({]*\\s*(?:alert|confirm|prompt|eval|atob|fetch|import|print)\\b\\s*[(\\x60\\]]|["'\\x60]\\s*[\\])}]*\\s*[-+*/;,|&^?:%]+\\s*[\\[({]*\\s*(?:alert|confirm|prompt|eval|atob|fetch|import)\\s*[(\\x60?]`],
    ['xss-closing-script', 'critical', 1, 'End of a script, style, title or textarea element in a value', '</\\s*(?:script|title|textarea|noscript|template)\\s*>\\s*<\\s*[a-z]'],
    ['xss-string-code', 'critical', 1, 'Code built from strings', 'string\\s*\\.\\s*fromcharcode\\s*\\(|\\[\\s*["\'](?:constructor|alert|eval|al"\\s*\\+\\s*"ert|cookie|innerhtml)["\']\\s*\\]|\\bconstructor\\s*[.\\[(]\\s*["\']?constructor|\\bset(?:timeout|interval)\\s*\\(\\s*["\'\\x60]|\\bnew\\s+function\\s*\\(\\s*["\'\\x60]|\\beval\\s*\\(\\s*(?:atob|unescape|name|location|string|decodeuri\\w*|window|document|["\'\\x60])'],
    ['xss-document-access', 'critical', 1, 'Access to cookie or location of the page', '(?:^|[=+(,;\'"\\[{?&:]\\s*|\\.|window\\.)document\\s*(?:\\.|\\[\\s*["\'])\\s*(?:cookie|domain|location|write(?:ln)?\\s*["\']?\\]?\\s*\\(|referrer|body\\s*\\.\\s*(?:innerhtml|append))|(?:window|self|top|parent|globalthis)\\s*\\[\\s*["\'\\x60/]|(?:window|top|parent|self)\\s*\\.\\s*location\\s*=|\\.\\s*(?:inner|outer)html\\s*=[^=]{0,40}(?:location|document|<\\s*(?:img|svg|script))|navigator\\s*\\.\\s*sendbeacon\\s*\\('],
    ['xss-tagged-call', 'critical', 1, 'Script function called without parentheses', '\\b(?:alert|confirm|prompt|eval|setTimeout)\\s*(?:\\x60|\\?\\.\\s*[(\\x60]|\\.\\s*(?:call|apply|bind)\\s*[(\\x60])|\\bonerror\\s*=\\s*(?:alert|eval)\\s*;\\s*throw|\\bthrow\\s*(?:onerror|/a/|\\{\\s*})'],
    ['xss-jsfuck', 'critical', 1, 'Script written with brackets only', '(?:\\[\\]|!\\[\\]|!!\\[\\])\\s*\\+\\s*\\[\\]|\\[\\]\\[\\s*\\(|\\(!\\[\\]\\+|\\$=~\\[\\]'],
    ['xss-utf7', 'critical', 1, 'Markup in UTF-7', '\\+adw-[a-z/]|\\+ad4-'],
    ['xss-comment-conditional', 'critical', 1, 'Conditional comment, CDATA or processing instruction with markup', '<!\\[cdata\\[[^\\]]{0,60}<|<\\?(?:import|xml-stylesheet)\\b|<%\\s*script'],
    ['xss-conditional', 'error', 2, 'Conditional comment, as mails and word processors have them', '<!--\\[if\\b|<%\\s*='],
    ['xss-context-call', 'critical', 1, 'Call behind the end of a comment, a block or a list', '(?:^|[\\w;])\\*/\\s*(?:alert|confirm|prompt|eval)\\s*\\(|^\\s*[\\])};]+\\s*(?:alert|confirm|prompt|eval)\\s*\\(|\\(\\s*(?:alert|confirm|prompt|eval)\\s*\\)\\s*[(\\x60]|\\.\\s*(?:find|map|foreach|filter|some|every|reduce|sort)\\s*\\(\\s*(?:alert|confirm|prompt|eval)\\s*\\)'],
    ['xss-mutation', 'critical', 1, 'Nesting that turns into markup when it is parsed twice', '<(?:noscript|style|textarea|title|xmp|template)\\b[^>]*>\\s*<[^>]*?(?:title|id|alt)\\s*=\\s*["\'][^"\']{0,20}</'],
    ['xss-any-handler', 'error', 2, 'Anything that reads like an event handler', '[\\s/"\'\\x60]on[a-z]{3,30}\\s*=\\s*\\S'],
    ['xss-style-tag', 'error', 2, 'Style, form or input elements', '<\\s*(?:style|form|input|button|textarea|select|keygen|details|dialog|video|audio|source|template|body|html|head|title)\\b'],
    ['xss-call', 'critical', 2, 'Call of a script function', '\\b(?:alert|confirm|prompt|eval)\\s*\\(\\s*(?:\\d|["\'\\x60/]|document|window|origin|location|this|[\\w.]{1,30}\\s*\\))'],
    ['xss-any-tag', 'error', 3, 'Any element', '<\\s*/?[a-z!][^>]*>'],
    ['xss-angle', 'warning', 4, 'Angle bracket in a value', '[<>]']
  ]),
  ...rows({ category: 'xss', transformations: scheme, targets: input }, [
    ['xss-script-url', 'critical', 1, 'URL that runs script',
      '(?:javascript|livescript|vbscript|mocha|jscript):(?:[^a-z]{0,80}(?:\\*/|//|%0a)?[^a-z]{0,20}(?:alert|confirm|prompt|eval|document[.\\[]|window[.\\[]|location[.=]|fetch\\(|import\\(|top[.\\[]|self[.\\[]|parent[.\\[]|this[.\\[]|void[(0]|console\\.|new(?:function|image)|settimeout|function\\(|open\\(|print\\(|throw|msgbox|execute|string\\.|atob|\\[\\]|\\x60|name\\b)|//|/\\*|[\\[({"\'\\x60!+~<\\\\])'],
    ['xss-script-attribute', 'critical', 1, 'Script URL as the value of an attribute', '(?:href|src|action|data|background|poster|lowsrc|dynsrc|content|values|to|from|by|url\\(|url)[=;(]+["\'\\x60]?(?:javascript|vbscript|livescript|data:text/html)[:;,]']
  ]),
  ...rows({ category: 'xss', transformations: css }, [
    ['xss-css-expression', 'critical', 1, 'Style that runs script', ':\\s*expression\\s*\\(|-moz-binding\\s*:|behaviou?r\\s*:\\s*url\\s*\\(|@import\\s*(?:url\\s*\\(|["\'])\\s*["\']?\\s*(?:javascript|data|https?:|//)|url\\s*\\(\\s*["\']?\\s*(?:javascript|vbscript)\\s*:']
  ])
]
