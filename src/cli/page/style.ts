/** The style sheet of the page: light, dark, and paper. */

const light = `--page:#f4f5f7;--surface:#fff;--text:#182230;--muted:#566173;--line:#dfe3ea;--first:#2a5bd0;--second:#8a63d2;
--good:#16826f;--bad:#c2362f;--warn:#a86400;--quiet:#8691a3`;
const dark = `--page:#0f131a;--surface:#181e28;--text:#e7ebf2;--muted:#a0abbd;--line:#2c3543;--first:#7ea2ff;--second:#b99cf7;
--good:#4cc2ac;--bad:#ff837a;--warn:#e0a94a;--quiet:#77859b`;

export const style = `
:root{color-scheme:light dark;${light}}
@media screen and (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:880px;margin:0 auto;padding:40px 24px 56px}
header{margin-bottom:28px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 10px;overflow-wrap:anywhere}
h2{font-size:18px;line-height:1.3;margin:0 0 4px;letter-spacing:-.005em}
h3{font-size:14px;margin:26px 0 6px;font-weight:600}
p{margin:0 0 6px;overflow-wrap:anywhere}
.eyebrow{font-size:13px;color:var(--muted);margin-bottom:6px}
.lead{font-size:17px;margin:14px 0 0;max-width:60ch}
.meta,.note{color:var(--muted);font-size:14px}
.status{display:inline-block;border:1px solid currentColor;border-radius:999px;padding:1px 11px;font-size:13px;font-weight:600;color:var(--first);vertical-align:3px}
.status.completed{color:var(--good)}.status.failed{color:var(--bad)}.status.paused,.status.cancelled,.status.deleted{color:var(--warn)}
.alert{border-left:4px solid var(--bad);background:var(--surface);padding:12px 16px;margin:16px 0 0;border-radius:0 8px 8px 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:0 0 20px;padding:0}
.card{background:var(--surface);border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin:0}
.card dt{color:var(--muted);font-size:13px}
.card dd{margin:0}
.card .big{font-size:25px;line-height:1.3;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.card .small{color:var(--muted);font-size:13px}
section{background:var(--surface);border:1px solid var(--line);border-radius:10px;padding:22px 24px;margin:0 0 16px}
figure{margin:14px 0 0}
.chart{overflow-x:auto}
svg{display:block;width:100%;height:auto;max-width:780px;font-family:inherit}
svg text{font-family:inherit}
details{margin-top:10px}
summary{cursor:pointer;color:var(--muted);font-size:13px}
summary:focus-visible{outline:2px solid var(--first);outline-offset:3px;border-radius:3px}
.table{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin-top:12px;font-size:14px;font-variant-numeric:tabular-nums}
table.narrow{max-width:560px}
caption{text-align:left;color:var(--muted);font-size:13px;padding-bottom:4px}
th,td{text-align:left;padding:7px 14px 7px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:break-word}
thead th{color:var(--muted);font-weight:500;font-size:13px;white-space:nowrap}
tbody th{font-weight:500;overflow-wrap:anywhere}
tbody tr.sub th{font-weight:400;color:var(--muted);padding-left:18px}
tbody tr:last-child>*{border-bottom:0}
.number{text-align:right;white-space:nowrap}
th:last-child,td:last-child{padding-right:0}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{color:var(--muted);font-size:13px;margin-top:24px}
@media(max-width:640px){main{padding:24px 14px}section{padding:18px 16px}.chart svg{min-width:600px}}
@page{size:A4;margin:14mm 13mm}
@media print{
:root{color-scheme:light}
body{background:none;font-size:10.5pt}
main{max-width:none;padding:0}
svg,.status,.card,.alert{-webkit-print-color-adjust:exact;print-color-adjust:exact}
th,td{padding-top:3px;padding-bottom:3px}
footer{break-before:avoid;margin-top:10px}
section{border:0;border-top:1px solid var(--line);border-radius:0;padding:14px 0;margin:0}
.cards{grid-template-columns:repeat(5,1fr);gap:8px}
.card{padding:9px 10px}.card .big{font-size:16pt}
figure,.cards,tr,h1,h2,h3,.alert{break-inside:avoid}
h2,h3,.note{break-after:avoid}
thead{display:table-header-group}
.chart,.table{overflow:visible}
details:not([open]){display:none}
svg{max-width:640px}
}
`.trim();
