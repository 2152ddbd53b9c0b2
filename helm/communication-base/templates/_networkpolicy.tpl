{{/* What Pods of the program may reach, and who may reach them: `components` of `root`. */}}
{{- define "cb.networkPolicy" -}}
{{- $root := .root -}}
{{- $way := include "cb.mongodb" $root -}}
podSelector:
  matchLabels: {{ include "cb.selector" $root | nindent 4 }}
  matchExpressions:
    - {key: app.kubernetes.io/component, operator: In, values: {{ toJson .components }}}
{{- with $root.Values.networkPolicy }}
policyTypes: [Ingress, Egress]
ingress:
  - ports: [{protocol: TCP, port: 8080}]
    from:
      {{- if .metricsFrom }}
      {{- toYaml .metricsFrom | nindent 6 }}
      {{- else }}
      - namespaceSelector: {}
      {{- end }}
egress:
  - to: {{ toYaml .dns.to | nindent 6 }}
    ports:
      {{- range .dns.ports }}
      - {protocol: UDP, port: {{ . }}}
      - {protocol: TCP, port: {{ . }}}
      {{- end }}
  - ports:
      {{- range .mongodb.ports }}
      - {protocol: TCP, port: {{ . }}}
      {{- end }}
    {{- if eq $way "embedded" }}
    to:
      - podSelector:
          matchLabels:
            {{- include "cb.selector" $root | nindent 12 }}
            app.kubernetes.io/component: mongodb
    {{- else if eq $way "operator" }}
    to:
      - podSelector: {matchLabels: {app: {{ include "cb.fullname" $root }}-mongodb-svc}}
    {{- else if .mongodb.to }}
    to: {{ toYaml .mongodb.to | nindent 6 }}
    {{- end }}
  {{- if include "cb.hasChannels" $root }}
  - to: {{ toYaml .channels.to | nindent 6 }}
    ports:
      {{- range .channels.ports }}
      - {protocol: TCP, port: {{ . }}}
      {{- end }}
  {{- end }}
  {{- with .extraEgress }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}
