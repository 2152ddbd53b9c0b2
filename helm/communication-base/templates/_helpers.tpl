{{- define "cb.name" -}}
{{- regexReplaceAll "[-.]+$" (default .Chart.Name .Values.nameOverride | trunc 63) "" -}}
{{- end -}}

{{/* At most 40 characters, so that every suffix fits into 63. */}}
{{- define "cb.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- regexReplaceAll "[-.]+$" (.Values.fullnameOverride | trunc 40) "" -}}
{{- else -}}
{{- $name := include "cb.name" . -}}
{{- regexReplaceAll "[-.]+$" (ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40) "" -}}
{{- end -}}
{{- end -}}

{{- define "cb.selector" -}}
app.kubernetes.io/name: {{ include "cb.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cb.labels" -}}
{{ include "cb.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cb.serviceAccount" -}}
{{- default (ternary (include "cb.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "cb.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end -}}

{{/* Which MongoDB: embedded, operator, existingSecret or uri. Exactly one. */}}
{{- define "cb.mongodb" -}}
{{- $m := .Values.mongodb -}}
{{- $ways := list -}}
{{- if $m.enabled }}{{ $ways = append $ways "embedded" }}{{ end -}}
{{- if $m.operator.enabled }}{{ $ways = append $ways "operator" }}{{ end -}}
{{- if $m.existingSecret }}{{ $ways = append $ways "existingSecret" }}{{ end -}}
{{- if $m.uri }}{{ $ways = append $ways "uri" }}{{ end -}}
{{- range .Values.existingSecrets }}{{ if hasKey .keys "MONGODB_URI" }}{{ $ways = append $ways "existingSecrets" }}{{ end }}{{ end -}}
{{- if ne (len $ways) 1 -}}
{{- fail (printf "where is MongoDB? Set exactly one of mongodb.existingSecret (a Secret with the URI), mongodb.uri, mongodb.operator.enabled, or mongodb.enabled (three members to try it out); set: %s" (join ", " $ways | default "none")) -}}
{{- end -}}
{{- first $ways -}}
{{- end -}}

{{/* Variables without secrets, as YAML. */}}
{{- define "cb.env" -}}
{{- $env := dict "WORKER_THREADS" .Values.workerThreads "HEALTH_PORT" 8080 -}}
{{- range $key, $value := .Values.config -}}
{{- if kindIs "slice" $value }}{{ $value = join "," $value }}{{ end -}}
{{- if ne (toString $value) "" }}{{ $_ := set $env (upper (snakecase $key)) $value }}{{ end -}}
{{- end -}}
{{- range $name, $channel := .Values.channels -}}
{{- range $key, $value := omit $channel "url" "token" "headers" "dkimKey" -}}
{{- if kindIs "slice" $value }}{{ $value = join "," $value }}{{ end -}}
{{- $_ := set $env (printf "CHANNEL_%s_%s" (upper $name) (upper (snakecase $key))) $value -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := .Values.env }}{{ $_ := set $env $key $value }}{{ end -}}
{{- range $key, $value := $env }}
{{- /* whole numbers in full: 1e+06 is none to the worker */}}
{{- $isWhole := and (kindIs "float64" $value) (eq (toString (floor $value)) (toString $value)) }}
{{ $key }}: {{ ternary (printf "%d" (int64 $value)) (toString $value) $isWhole | quote }}
{{- end -}}
{{- end -}}

{{/* Secrets that the values hold, as YAML: variable to text. */}}
{{- define "cb.secrets" -}}
{{- $all := dict -}}
{{- with .Values.mongodb.uri }}{{ $_ := set $all "MONGODB_URI" . }}{{ end -}}
{{- with .Values.hashKey }}{{ $_ := set $all "HASH_KEY" . }}{{ end -}}
{{- range $name, $channel := .Values.channels -}}
{{- range $key, $value := pick $channel "url" "token" "headers" "dkimKey" -}}
{{- if kindIs "map" $value }}{{ $value = toJson $value }}{{ end -}}
{{- $_ := set $all (printf "CHANNEL_%s_%s" (upper $name) (upper (snakecase $key))) $value -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := $all }}
{{ $key }}: {{ $value | quote }}
{{- end -}}
{{- end -}}

{{/* Which key of which Secret is the file of which variable: a YAML list. `own` is the chart's Secret, or its copy for a hook. */}}
{{- define "cb.secretFiles" -}}
{{- $root := .root -}}
{{- $full := include "cb.fullname" $root -}}
{{- $files := list -}}
{{- range $variable, $_ := (include "cb.secrets" $root | fromYaml) -}}
{{- $files = append $files (dict "secret" $.own "key" $variable "variable" $variable) -}}
{{- end -}}
{{- $way := include "cb.mongodb" $root -}}
{{- $uri := dict -}}
{{- if eq $way "embedded" }}{{ $uri = dict "secret" (default (printf "%s-mongodb" $full) $root.Values.mongodb.auth.existingSecret) "key" "uri" }}{{ end -}}
{{- if eq $way "operator" }}{{ $uri = dict "secret" (printf "%s-mongodb-connection" $full) "key" "connectionString.standard" }}{{ end -}}
{{- if eq $way "existingSecret" }}{{ $uri = dict "secret" $root.Values.mongodb.existingSecret "key" $root.Values.mongodb.existingSecretKey }}{{ end -}}
{{- if $uri }}{{ $files = append $files (set $uri "variable" "MONGODB_URI") }}{{ end -}}
{{- range $secret := $root.Values.existingSecrets -}}
{{- range $variable, $key := $secret.keys -}}
{{- $files = append $files (dict "secret" $secret.name "key" $key "variable" $variable) -}}
{{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* The container that runs the program: environment, secrets as files, nothing to write to but /tmp. */}}
{{- define "cb.container" -}}
{{- $root := .root -}}
image: {{ include "cb.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: [{{ .command | quote }}]
envFrom:
  - configMapRef: {name: {{ .config }}}
env:
{{- range include "cb.secretFiles" . | fromYamlArray }}
  - {name: {{ .variable }}_FILE, value: /etc/communication-base/{{ .variable }}}
{{- end }}
{{- /* half of the memory for the heaps of all threads together; the image says half for one */}}
{{- $given := keys $root.Values.env }}
{{- range $root.Values.extraEnv }}{{ $given = append $given .name }}{{ end }}
{{- if not (has "NODE_OPTIONS" $given) }}
  - {name: NODE_OPTIONS, value: "--max-old-space-size-percentage={{ max 2 (div 50 (int $root.Values.workerThreads)) }}"}
{{- end }}
{{- with $root.Values.extraEnv }}
{{ toYaml . | indent 2 }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
volumeMounts:
  - {name: secrets, mountPath: /etc/communication-base, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- with $root.Values.extraVolumeMounts }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{/* What all Pods that run the program have in common. */}}
{{- define "cb.pod" -}}
{{- $root := .root -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
      {{- range include "cb.secretFiles" . | fromYamlArray }}
        - secret: {name: {{ .secret }}, items: [{key: {{ .key | quote }}, path: {{ .variable }}}]}
      {{- end }}
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
{{- with $root.Values.extraVolumes }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{/* Seconds: more than the worker takes by itself, with what comes before SIGTERM. */}}
{{- define "cb.terminationGrace" -}}
{{- add (div (add (int .Values.config.shutdownGraceMs) 999) 1000) (int .Values.preStopSeconds) (int .Values.terminationMarginSeconds) -}}
{{- end -}}

{{/* "yes" where a channel is set, be it by a variable or a Secret alone. */}}
{{- define "cb.hasChannels" -}}
{{- $names := keys .Values.channels .Values.env -}}
{{- range .Values.existingSecrets }}{{ $names = concat $names (keys .keys) }}{{ end -}}
{{- range .Values.extraEnv }}{{ $names = append $names .name }}{{ end -}}
{{- if or .Values.channels (regexMatch "(^| )CHANNEL_[A-Z0-9_]+_DRIVER(_FILE)?( |$)" (join " " $names)) }}yes{{ end -}}
{{- end -}}

{{- define "cb.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "cb.selector" $.root | nindent 6 }}
      app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end -}}
