import { command, input, rows, text } from './rule.ts'
import type { Target } from '../engine/request.ts'

/** Programs whose names say enough even without an argument. */
const bare = '(?:whoami|uname|ifconfig|ipconfig|systeminfo|tasklist|netstat|printenv|lsb_release|dmesg|lsof|getent)'
/** Programs that are also words: only with something that reads like an argument. */
const withArgument = '(?:cat|tac|nl|head|tail|more|less|rm|cp|mv|dd|chmod|chown|touch|mkdir|ls|ps|id|pwd|env|dir|type|echo|printf|find|grep|awk|sed|sort|strings|xxd|od|base64|' +
  'php\\d?|perl|python\\d?(?:\\.\\d+)?|ruby|node|lua|java|gcc|bash|sh|zsh|ksh|dash|csh|tcsh|busybox(?:\\s+(?:nc|sh|wget|telnetd))?|nc|ncat|netcat|socat|wget|curl|fetch|lynx|ping6?|nslookup|dig|host|traceroute|telnet|ssh|scp|ftp|tftp|' +
  'sleep|kill|pkill|killall|sudo|su|passwd|useradd|adduser|crontab|at|nohup|xargs|tee|tar|gzip|unzip|mail|sendmail|mysql|psql|kubectl|docker|systemctl|service|reboot|shutdown|halt|eval|exec|source|export|set|' +
  'cmd|powershell|pwsh|net|reg|sc|wmic|certutil|bitsadmin|mshta|rundll32|regsvr32|cscript|wscript|schtasks|copy|del|ren|start|timeout|where)(?:\\.exe)?'
const prefix = '(?:(?:/[\\w./?*-]{0,60}/|\\./)|[a-z]:[\\\\/][\\w\\\\/.-]{0,80}[\\\\/])?'
const argument = '(?:\\s+(?:-{1,2}\\w|/\\s*$|/[\\w?*]|~/?|\\$|\\*|\\.{1,2}/|>|<|\\\\|\\w+://|[\\w*?-]{1,40}\\.[\\w*?-]{1,40}|\\d{1,3}\\.\\d{1,3}\\.|\\d+\\s*(?:$|[;|&)#`])|\\w{1,40}\\s*(?:>|\\|\\s*\\w|\\\\)|[\\w.%@-]{1,60}\\s*[;|&`)#]\\s*\\w*|(?:user|start|stop|query|add|localgroup|share|view)\\b)|\\s*[<>]\\s*[\\w/&.(]|/[\\w/])'
/** Where a command leaves the value it was put behind: at the start or behind one word, number or closing quote. */
const leaving = '^\\s*[^\\s;|&`]{0,80}[\'")\\]}]*\\s*'
/** Behind more than a word it takes an argument that nobody writes down in passing. */
const telling = '(?:\\s+(?:-{1,2}[\\w=-]+\\s+){0,3}|\\s*<\\s*)(?:/(?:etc/(?:passwd|shadow|group)|proc/|root/|dev/tcp|tmp/|\\?)|\\.\\./\\.\\.|\\$\\(|[`<]|(?:https?|ftp|ldap)://|\\d{1,3}(?:\\.\\d{1,3}){3}\\b)'
const separator = '(?:[;|\\n\\r]|&&?|\\|\\||\\$\\(|<\\(|>\\()'

const named: readonly Target[] = [...input, 'xml']

/** Commands of shells: a separator or an expansion, and behind it a program. */
export const commandRules = [
  ...rows({ category: 'command', transformations: command }, [
    ['command-separator-bare', 'critical', 1, 'Separator and a program that tells about the system', `(?:${leaving}${separator}|\\$\\(|\\x60\\s*[;|&]+|[^\\s]\\s*(?:;|&&|\\|\\|))\\s*${prefix}${bare}(?:\\.exe)?\\b\\s*(?:$|[;|&)<>#/\`\\n]|-\\w)|(?:^|[\\w'")])[|&]${bare}\\b\\s*(?:$|[;|&)#])`],
    ['command-separator-argument', 'critical', 1, 'Command with an argument behind a value, or with a telling one anywhere', `(?:${leaving}${separator}|\\x60\\s*[;|&]+)\\s*(?:sudo\\s+|exec\\s+|nohup\\s+|time\\s+|env\\s+)?${prefix}${withArgument}${argument}|[;|&]\\s*(?:sudo\\s+)?${prefix}${withArgument}${telling}`],
    ['command-separator-short', 'critical', 1, 'Separator and a short program at the end of the value', '(?:^\\s*[^\\s;|&`]{0,80}\\s*(?:[;|&\\n]+)|\\$\\()\\s*(?:/(?:usr/)?s?bin/)?(?:ls|pwd|dir|ps\\s+\\w+|ver|netstat|set|arp|history|w\\s*-\\w|who\\b)\\s*(?:$|[;|&)#`\\n])|(?:;|\\n|&&|\\|\\||(?:^|[\\d\'")\\]])(?:\\||&)|^\\|\\s?|^&\\s?)\\s*(?:/(?:usr/)?bin/)?(?:id|env)\\s*(?:$|[;|&)#`\\n])'],
    ['command-substitution', 'critical', 1, 'Command substitution', `\\$\\(\\s*${prefix}(?:(?:${bare}|id|ls|pwd|env|ps|hostname)\\s*\\)|(?:curl|wget|nslookup|dig|ping|sleep|bash|sh|python\\d?|perl|php|nc)\\s[^)]|cat\\s*<?\\s*[/.$\\\\])|^[^\\s\`]{0,80}\\$\\(\\s*${prefix}(?:${bare}|id|ls|cat|pwd|env|ps|hostname|date|echo|printf|base64|rev|head|tail|find|which|touch|rm|expr|awk|sed)(?:\\s[^)]|\\s*\\)|\\s*<)|\\$\\(\\(\\s*\\d+\\s*[-+*]\\s*\\d+\\s*\\)\\)|\\$\\(<\\s*/`],
    ['command-backticks', 'critical', 1, 'Command in backticks, glued to the value or with an argument', `\`\\s*${prefix}(?:${bare}|id|ls|cat|pwd|env|ps|hostname|curl|wget|nslookup|dig|ping|sleep|bash|sh|python\\d?|perl|php|nc|base64|touch|rm)(?:\\s+(?:-\\w+\\s+)?(?:/[\\w.]|\\w+://|\\d{1,3}\\.\\d{1,3}\\.)|\\s*<\\s*/)|^[^\\s\`]*\`\\s*${prefix}(?:${bare}|id|ls|cat|pwd|env|ps|hostname|sleep\\s+\\d+|ping\\s[^\`]{1,60}|curl\\s[^\`]{1,100}|wget\\s[^\`]{1,100}|nslookup\\s[^\`]{1,100}|echo\\s[^\`]{1,100}|cat\\s[^\`]{1,100}|ls\\s[^\`]{1,100})\\s*\`?\\s*$`],
    ['command-shell-path', 'critical', 1, 'Shell or interpreter by its path', '(?:^|[^\\w./!-])/(?:usr/(?:local/)?)?s?bin/(?:env\\s+)?(?:ba|z|k|da|c|tc|a)?sh\\s*(?:-|$|[;|&<>`)"\'])|(?:^|[^!\\w])/(?:usr/(?:local/)?)?s?bin/(?:cat|id|ls|nc|ncat|netcat|curl|wget|perl|python\\d?|php|ruby|whoami|uname|nslookup|ping|chmod|rm|echo|sleep|env|ps|head|tail|xterm|gcc|tee)\\b(?:$|[;|&`)<>]|\\s+[-/\\d"\'$])|/[?*]{3}/[\\w?*]{2,}|/b[?*]n/[\\w?*]+|/[?*]in/[\\w?*]+'],
    ['command-reverse-shell', 'critical', 1, 'Reverse shell', '/dev/(?:tcp|udp)/|\\b(?:nc|ncat|netcat)(?:\\.\\w+)?\\s+(?:-\\w+\\s+){0,5}[\\w.-]+\\s+\\d{2,5}\\b|\\b(?:nc|ncat|netcat)\\s+-\\w*[el]|\\b(?:ba|z|k|da)?sh\\s+-i\\b|\\bmkfifo\\s+/|\\bsocat\\s+\\S+:|\\bpython\\d?(?:\\.\\d+)?\\s+-c\\s|\\bperl\\s+-(?:e|mio)\\b|\\bphp\\s+-r\\b|\\bruby\\s+-(?:rsocket|e)\\b|\\bfsockopen\\s*\\('],
    ['command-download-run', 'critical', 1, 'Download that is run or stored', '\\b(?:curl|wget|fetch|lwp-download)\\s[^|;&]{1,200}(?:-o\\s*/(?:tmp|dev/shm|var)\\b|>\\s*/(?:tmp|dev/shm|var)\\b)|\\b(?:curl|wget|fetch)\\s+(?:-\\S+\\s+)*(?:https?://)?\\d{1,3}(?:\\.\\d{1,3}){3}[^|;&]{0,200}\\|\\s*(?:ba|z|da)?sh\\b|\\bchmod\\s+(?:\\+x|[0-7]{3,4})\\s+/(?:tmp|dev/shm|var)/[\\w./*-]+\\s*[;&|]'],
    ['command-windows', 'critical', 1, 'Windows command line', '\\bcmd(?:\\.exe)?\\s*/[ckv]\\b|\\bpowershell(?:\\.exe)?\\s+(?:-\\w+|/\\w+|iex|invoke|\\()|\\b(?:invoke-(?:expression|webrequest|command|restmethod|mimikatz)|new-object\\s+(?:system\\.)?net\\.|downloadstring\\s*\\(|downloadfile\\s*\\(|start-process\\s)|\\biex\\s*\\(|\\bcertutil(?:\\.exe)?\\s+-\\w|\\bbitsadmin(?:\\.exe)?\\s+/|\\bmshta(?:\\.exe)?\\s+(?:https?|vbscript|javascript)|\\bregsvr32(?:\\.exe)?\\s+/|\\brundll32(?:\\.exe)?\\s+\\w|\\bnet\\s+(?:user|localgroup|share|view)\\s+[/\\w]|\\bwmic\\s+(?:process|os|/)|\\breg\\s+(?:add|query|save)\\s+hk'],
    ['command-windows-pipe', 'critical', 1, 'Separator and a command of cmd.exe', '[|&]\\s*(?:dir|ver|type|set|net|tasklist|systeminfo|ipconfig|hostname|timeout|del|copy|ping|tree|vol)\\s+(?:[a-z]:|%|/\\w|[a-z]+\\.[a-z]{2,4}\\s*$|-n\\s+\\d)'],
    ['command-nested', 'critical', 1, 'Separator, a program of the network and a substitution', '[;|&\\n]\\s*(?:nslookup|dig|host|ping|curl|wget|nc|echo|telnet)\\s[^;|&\\n]{0,80}?(?:`|\\$\\()\\s*\\w'],
    ['command-delay', 'critical', 1, 'Delay or change of rights behind a separator', `(?:${separator}|\`)\\s*(?:/bin/)?(?:chmod\\s+(?:\\+|[0-7]{3,4}\\s)|(?:sleep|timeout|ping\\s+-[nc])\\s*(?:/t\\s*)?\\d+)`],
    ['command-statement', 'critical', 1, 'Program with a sensitive argument', '\\b(?:cat|tac|nl|head|tail|more|less|strings|xxd|type|vi|nano|cp|mv|rm|ls|find|grep\\s+[\\w-]{1,20}|awk\\s+\\S{1,20}|sed\\s+\\S{1,20})(?:\\s+-{1,2}[\\w-]+){0,3}(?:\\s+|\\s*<\\s*)(?:/(?:etc/(?:passwd|shadow|group|sudoers|\\*|$)|etc/?[;|&`)]|proc/(?:self|\\d|version)|root/|\\*)|/[?*]{2,}|/\\w+/[?*]{2,})|\\brm\\s+-(?:rf|fr|r\\s+-f)\\s+(?:--no-preserve-root\\s+)?(?:[/~](?:\\s|[*;|&]|$)|/(?:etc|var|home|usr|bin|root|boot|opt)(?:/?(?:\\s|[*;|&]|$))|\\*)'],
    ['command-variable-tricks', 'critical', 1, 'Variables in place of letters', '\\$\\{(?:path|home|pwd|shell|ps\\d|ifs|oldpwd|hostname|user)(?::\\d{1,3}:\\d{1,3}|[%#]{1,2}[^}]{1,20})\\}|\\$\\{[#@!]\\w*[*@]?\\}|\\$\'(?:\\\\|[a-z]{2,})'],
    ['command-closing-quote', 'critical', 1, 'Separator behind a closing quote, and the rest commented out', `^[^'"]{0,60}['"][\\s)]*[;|&]+\\s*\\w[^#]{0,120}#\\s*$`],
    ['command-here-string', 'critical', 1, 'Here-string behind a separator, or handed to a shell', '[;|&]\\s*\\w{1,12}\\s*<<<|\\bbase64\\s+(?:-d|--decode)\\s*\\|\\s*(?:ba|z|da)?sh\\b|<<<[^|]{1,100}\\|\\s*(?:ba|z|da)?sh\\b'],
    ['command-pipe-shell', 'error', 2, 'Download that is piped to a shell, change of rights before a run', '\\b(?:curl|wget|fetch)\\s[^|;&]{1,200}\\|\\s*(?:sudo\\s+)?(?:ba|z|da)?sh\\b|\\bchmod\\s+(?:\\+x|[0-7]{3,4})\\s+[\\w./*-]+\\s*[;&|]'],
    ['command-anywhere', 'error', 2, 'Separator and a program with an argument, anywhere', `${separator}\\s*(?:sudo\\s+)?${prefix}${withArgument}${argument}`],
    ['command-heredoc', 'error', 2, 'Here-string, here-document or process substitution', '<<<\\s*\\S|<<-?\\s*[\'"]?eof|[<>]\\(\\s*\\w+'],
    ['command-any-substitution', 'error', 2, 'Anything between $( and )', '\\$\\([^()\\s]'],
    ['command-any-backticks', 'warning', 3, 'Anything between backticks', '`[^`\\n]{1,100}`']
  ]),
  // Not in headers, where `;sort=` and `;host=` are parameters.
  ...rows({ category: 'command', transformations: command, targets: ['args', 'args-names', 'cookies', 'path', 'body', 'files'] }, [
    ['command-any-separator', 'warning', 3, 'Separator and a word', `(?:[;|&]|&&|\\|\\|)\\s*${withArgument}\\b`],
    ['command-names', 'error', 2, 'Separator and a bare program at the end', `(?:;|&&|\\|\\||\\|)\\s*${withArgument}\\s*$`]
  ]),
  ...rows({ category: 'command', transformations: ['decode'] }, [
    ['command-ifs', 'critical', 1, 'Shell field separator in place of a blank', '\\$\\{?ifs\\b|\\$\\{ifs'],
    ['command-brace-list', 'critical', 1, 'Brace list as a command line', '(?:^|[;|&`(])\\s*\\{\\s*(?:cat|ls|id|curl|wget|ping|bash|sh|nc|echo|rm|python\\d?|perl|php|uname|sleep|nslookup),[^}]{1,200}\\}'],
    ['command-quote-split', 'critical', 1, 'Program name split by quotes or backslashes behind a separator', '(?:[;|&`\\n]|\\$\\(|^)\\s*(?:/[\\w?*/]{0,30}/)?(?:[a-z]{1,8}(?:\'\'|""|\\\\)[a-z]{1,8}|[a-z](?:[\'"\\\\^][a-z]){1,8}[\'"]?)(?:[\'"]|\\s+[/\\-~$.\\w\'"\\\\])[\\w/\'"\\\\.-]*(?:/|$|[;|&`)])']
  ]),
  ...rows({ category: 'command', transformations: text, targets: named }, [
    ['command-shellshock', 'critical', 1, 'Function definition in a variable (Shellshock)', '^\\s*\\(\\s*\\)\\s*\\{\\s*(?:[^}]{0,40};\\s*\\}|[\\w:_]*\\s*[=>:;])']
  ])
]
