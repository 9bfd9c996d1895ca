import { input, path, rows, text } from './rule.ts'
import type { Target } from '../engine/request.ts'

const named: readonly Target[] = [...input, 'xml']

/** Paths: traversal, sensitive files, inclusion of local and remote files, addresses of cloud metadata. */
export const fileRules = [
  ...rows({ category: 'traversal', transformations: path }, [
    ['traversal-dot-dot', 'critical', 1, 'Two steps to parent folders at the start of a value or path, four anywhere, or one that leads to a sensitive file',
      '^\\.\\./$|(?:^|[=?&;:,>|@]/*|^[\\w:./-]*/)\\.{2,4}[;/]+(?:\\./)*\\.{2,4}(?:[;/]|$)|(?:\\.{2,4}/+){4}|\\.{2,4}/+(?:\\.{1,4}/+)*(?:[\\w.-]{1,40}/){0,3}(?:(?:etc|proc|root|boot|windows|winnt|inetpub|system32|web-inf|meta-inf|var/(?:log|lib|run)|home|\\.git|\\.ssh|\\.svn|\\.aws|\\.docker)(?:/|$)|(?:passwd|shadow|win\\.ini|boot\\.ini|web\\.config|wp-config\\.php|\\.env|\\.htaccess|\\.htpasswd|id_rsa)(?:$|[^\\w/]))|\\.\\.;/'],
    ['traversal-step', 'error', 2, 'Step to a parent folder', '(?:^|[/=:;,\\s"\'(@|<>\\[{])\\.{2,4}(?:/|;/|$\\b)|(?:^|/)\\.\\.(?:$|[;?#\\x00])|\\.\\.[/;]\\.\\.|\\.\\.%2f|(?:^|/)\\.\\.\\s*/'],
    ['traversal-null-suffix', 'critical', 1, 'Step to a parent folder in a value that a null byte cuts', '\\.\\./[^\\x00]*(?:\\x00|%00)'],
    ['traversal-glued', 'error', 2, 'Steps to a parent folder behind a name', '[\\w.-]{1,80}/\\.\\.(?:/|$)'],
    ['traversal-unix-files', 'critical', 1, 'Files that an attacker reads first on Unix',
      '(?:^\\s*|[\\w./;|&<=:,%?*@}$~{>\\x00-\\x08+-])(?:/etc/(?:\\./)*(?:passwd|shadow|gshadow|group|sudoers|crontab|master\\.passwd|security/|ssh/|ssl/private|mysql/|apache2/|httpd/|nginx/|kubernetes/|hostname|issue|fstab|environment|profile|resolv\\.conf)|/proc/(?:self/|version\\b|cpuinfo\\b|mounts\\b|net/|sched_debug|\\d+/)|/var/(?:log/(?:apache|nginx|httpd|auth|syslog|messages|mail|vsftpd)|run/secrets|lib/mlocate|spool/cron)|/root/\\.)|/dev/(?:tcp|udp)/|^[^\\s]*(?:/\\.ssh/(?:id_|authorized_keys|known_hosts)|\\bid_(?:rsa|dsa|ed25519)|/\\.(?:bash|zsh)_history|/\\.aws/credentials|/\\.docker/config|/\\.kube/config)$'],
    ['traversal-unix-read', 'critical', 1, 'Absolute Unix file as the whole value', '^(?:file:)?/(?:etc|proc|root|boot|sys|dev)/[\\w.-]+'],
    ['traversal-windows-files', 'critical', 1, 'Files that an attacker reads first on Windows',
      '\\b(?:win|boot|system|desktop)\\.ini\\b|\\bwindows/(?:system32|win\\.ini|repair|panther|debug|system\\.ini)|\\bsystem32/(?:drivers|config|cmd|inetsrv)|\\binetpub/|^[a-z]:/(?:windows|winnt|boot\\.ini|users/[^/]{1,60}/(?:appdata|ntuser|\\.ssh)|inetpub|program ?files|autoexec|sysprep)|\\bntuser\\.dat\\b|%(?:systemroot|windir|comspec)%'],
    ['traversal-overlong', 'critical', 1, 'Overlong UTF-8 form of an ASCII character', '(?-i:[\\x{c0}\\x{c1}][\\x{80}-\\x{bf}]|\\x{e0}[\\x{80}-\\x{9f}][\\x{80}-\\x{bf}])|%c[01]%[89ab][0-9a-f]|%c0%(?:2f|5c|2e)|%c1%(?:1c|9c|pc|8s)|%e0%[89][0-9a-f]%[89ab][0-9a-f]']
  ]),
  // Not in cookies and headers, which clients encode whole.
  ...rows({ category: 'traversal', transformations: ['decode'], targets: ['path', 'args', 'args-names'] }, [
    ['traversal-encoded', 'critical', 1, 'Encoded dots or an encoded slash in a step to a parent folder', '(?:%(?:25)*2e\\.|\\.%(?:25)*2e|%(?:25)*2e%(?:25)*2e)(?:[/\\\\;]|%(?:25)*(?:2f|5c))|\\.\\.%(?:25)*(?:2f|5c)']
  ]),
  // Not in raw bodies: binary formats are full of them.
  ...rows({ category: 'traversal', transformations: ['decode'], targets: input.filter((target) => target !== 'body') }, [
    ['traversal-null-byte', 'critical', 1, 'Null byte in a value', '\\x00']
  ]),
  ...rows({ category: 'traversal', transformations: path, targets: ['path', 'args', 'files', 'headers'] }, [
    ['traversal-project-files', 'critical', 1, 'Files of a project that are never served',
      '(?:^|/)\\.(?:git|svn|hg|bzr)/|(?:^|/)\\.(?:env(?:\\.\\w+)?|htaccess|htpasswd|npmrc|pgpass|netrc|dockercfg|DS_Store|gitconfig|bash_profile)$|(?:^|/)(?:wp-config\\.php|web\\.config|web-inf/|meta-inf/)|wp-config\\.php|\\bweb-inf/']
  ]),
  ...rows({ category: 'traversal', transformations: path, targets: ['path'] }, [
    ['traversal-backup-files', 'error', 2, 'Copies, dumps and keys left beside the site', '\\.(?:bak|old|orig|save|swp|swo|sql|dump|pem|key|p12|pfx|kdbx|log|ini|conf|cfg)~?$|~$'],
    ['traversal-encoded-slash', 'error', 2, 'Backslash in a path', '\\\\']
  ]),
  ...rows({ category: 'inclusion', transformations: text, targets: named }, [
    ['inclusion-wrapper', 'critical', 1, 'Stream wrapper in place of a file', '\\b(?:php://(?:input|filter|stdin|memory|temp|fd|output)|phar://|expect://|zip://|compress\\.(?:zlib|bzip2)://|glob://|ogg://|rar://|ssh2\\.\\w+://|zlib:|jar:(?:https?|file|ftp):|netdoc:|gopher://|dict://|sftp://|tftp://|ldaps?://[^\\s]{0,80}[/?]|file:/{1,3}(?:localhost/)?(?:etc|proc|root|var|dev|sys|boot|%|\\.|[a-z]:|windows|$))|^file:/+'],
    ['inclusion-data', 'critical', 1, 'Data wrapper with code in it', 'data:(?://)?(?:text/plain|application/x-httpd-php|application/octet-stream)?(?:;charset=[\\w-]+)?(?:;base64)?,\\s*(?:<\\?|PD9)'],
    ['inclusion-script-url', 'critical', 1, 'Remote script given as a file', '^(?:https?|ftp)://[^\\s?#]{1,200}\\.(?:php\\d?|phtml|phps|inc|asp|aspx|jsp|jspx|cgi|pl)\\?{0,2}$|^(?:https?|ftps?)://[^\\s?#]{1,200}\\.(?:txt|gif|jpe?g|png|dat|log|inc)\\?{1,2}$|^(?:https?|ftp)://[^\\s]{1,200}(?:shell|c99|r57|backdoor|cmd|webshell)[\\w-]*\\.(?:txt|php|jpg|gif)'],
    ['inclusion-ftp', 'critical', 1, 'File from FTP or a Windows share', '^(?:ftps?)://|^\\\\\\\\[\\w.-]{3,}(?:@\\d+)?\\\\[\\w$.\\\\-]*\\.(?:php\\d?|exe|dll|js|hta|jsp|aspx?|ps1|vbs|sct)$|^\\\\\\\\(?:[\\w.-]+@|[\\w-]+\\.[\\w.-]+\\\\|\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.)'],
    ['inclusion-share', 'error', 2, 'File from a Windows share', '^\\\\\\\\[\\w.-]{3,}\\\\[\\w$.-]+\\\\'],
    ['inclusion-url-address', 'error', 2, 'URL of a bare address', '^(?:https?)://\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}'],
    ['inclusion-any-url', 'warning', 4, 'URL as the whole value', '^(?:https?)://[^/]+']
  ]),
  ...rows({ category: 'ssrf', transformations: text, targets: named }, [
    ['ssrf-metadata', 'critical', 1, 'Address of a cloud metadata service',
      '\\b169\\.254\\.(?:169\\.254|170\\.2)\\b|\\bmetadata(?:\\.google)?\\.internal\\b|\\b100\\.100\\.100\\.200\\b|\\bfd00:ec2::(?:254|23)|\\b192\\.0\\.0\\.192\\b|\\[::ffff:(?:a9fe:a9fe|169\\.254\\.)|/latest/(?:meta-data|user-data|dynamic/instance-identity)|/computemetadata/v1|/metadata/(?:instance|v1)\\b|instance-data\\.ec2'],
    ['ssrf-number-host', 'critical', 1, 'Address hidden as one number, hexadecimal or octal', '://(?:[^/@\\s]{0,60}@)?(?:0x[0-9a-f]{6,8}|\\d{8,10}|0[0-7]{9,12}|0x[0-9a-f]{1,2}(?:\\.(?:0x[0-9a-f]{1,2}|\\d{1,3})){1,3}|0[0-7]{1,4}\\.0?[0-7]{1,4}\\.\\d{1,4}(?:\\.\\d{1,4})?|(?:127|0|169|10|192)\\.\\d{1,8}|(?:127|169|10)\\.\\d{1,3}\\.\\d{1,5})(?:[:/?#]|$)'],
    ['ssrf-rebinding', 'critical', 1, 'Names that resolve to inner addresses', '://[^/\\s]{0,80}\\b(?:(?:127|10|169|192|172)[.-]\\d{1,3}[.-]\\d{1,3}[.-]\\d{1,3}\\.(?:nip|sslip|xip)\\.io|localtest\\.me|lvh\\.me|burpcollaborator\\.net|oastify\\.com|interact\\.sh|oast\\.\\w+)'],
    ['ssrf-loopback', 'error', 2, 'URL of this machine or a private network', '://(?:[^/@\\s]{0,60}@)?(?:localhost|127\\.\\d|0\\.0\\.0\\.0|10\\.\\d|192\\.168\\.|172\\.(?:1[6-9]|2\\d|3[01])\\.|\\[(?:::1?\\]|::ffff:|f[cd][0-9a-f]{2}:|fe80:))']
  ])
]
