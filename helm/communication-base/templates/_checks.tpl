{{/* What the schema cannot tell: refused before anything is made. Renders nothing. */}}
{{- define "cb.checks" -}}
{{- $auto := .Values.autoscaling -}}
{{- if $auto.enabled -}}
{{- if gt (int $auto.minReplicas) (int $auto.maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)" (int $auto.minReplicas) (int $auto.maxReplicas)) -}}
{{- end -}}
{{- if not (or $auto.targetCPUUtilizationPercentage $auto.dueLag.enabled) -}}
{{- fail "autoscaling looks at nothing, for which Kubernetes takes 80 % of the processor: set autoscaling.targetCPUUtilizationPercentage above 0, autoscaling.dueLag.enabled, or both" -}}
{{- end -}}
{{- end -}}
{{- include "cb.checkServices" . -}}
{{- include "cb.checkVariables" . -}}
{{- include "cb.checkFixed" . -}}
{{- end -}}

{{/* A Service's name is narrower than others: RFC 1035. */}}
{{- define "cb.checkServices" -}}
{{- $full := include "cb.fullname" . -}}
{{- $for := "" -}}
{{- if has (include "cb.mongodb" .) (list "embedded" "operator") }}{{ $for = "the MongoDB of the release" }}{{ end -}}
{{- if .Values.metrics.serviceMonitor.enabled }}{{ $for = "metrics.serviceMonitor" }}{{ end -}}
{{- if and $for (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full)) -}}
{{- fail (printf "%s needs a Service, whose name begins with a letter and has no dot; this one would begin with %q: set fullnameOverride" $for $full) -}}
{{- end -}}
{{- end -}}

{{/* Each variable has one place. The program takes none in two, and Kubernetes no two files of one path. */}}
{{- define "cb.checkVariables" -}}
{{- $plain := keys (include "cb.env" (dict "Values" (set (deepCopy .Values) "env" dict)) | fromYaml) -}}
{{- $names := keys .Values.env -}}
{{- range .Values.extraEnv }}{{ $names = append $names .name }}{{ end -}}
{{- range $names -}}
{{- if has . $plain -}}
{{- fail (printf "%s is set twice: leave it in one of env, extraEnv, and config, channels, workerThreads (HEALTH_PORT is always 8080)" .) -}}
{{- end -}}
{{- $plain = append $plain . -}}
{{- end -}}
{{- $files := list -}}
{{- range include "cb.secretFiles" (dict "root" . "own" (include "cb.fullname" .)) | fromYamlArray -}}
{{- $file := printf "%s_FILE" .variable -}}
{{- if or (has .variable $files) (has .variable $plain) (has $file $plain) -}}
{{- fail (printf "%s is set twice, once as key %q of Secret %s: leave it in one of existingSecrets, hashKey, mongodb, channels, env and extraEnv" .variable .key .secret) -}}
{{- end -}}
{{- $files = append $files .variable -}}
{{- end -}}
{{- end -}}

{{/* What Kubernetes lets nobody change: found out here, and not when half of the release has changed. */}}
{{- define "cb.checkFixed" -}}
{{- $full := include "cb.fullname" . -}}
{{- $worker := lookup "apps/v1" "Deployment" .Release.Namespace $full | default dict -}}
{{- $name := dig "spec" "selector" "matchLabels" "app.kubernetes.io/name" "" $worker -}}
{{- if and $name (ne $name (include "cb.name" .)) -}}
{{- fail (printf "nameOverride cannot change: Deployment %s chooses its Pods by the name %q (docs/kubernetes.md, What cannot change)" $full $name) -}}
{{- end -}}
{{- $members := dict -}}
{{- if .Values.mongodb.enabled }}{{ $members = lookup "apps/v1" "StatefulSet" .Release.Namespace (printf "%s-mongodb" $full) | default dict }}{{ end -}}
{{- if $members -}}
{{- $asked := .Values.mongodb.persistence -}}
{{- $claim := first (dig "spec" "volumeClaimTemplates" (list dict) $members) -}}
{{- $size := dig "spec" "resources" "requests" "storage" "" $claim -}}
{{- $changed := list -}}
{{- if ne (not $asked.enabled) (not $claim) -}}
{{- $changed = append $changed "enabled" -}}
{{- else if $claim -}}
{{- if ne (include "cb.bytes" $size) (include "cb.bytes" $asked.size) }}{{ $changed = append $changed "size" }}{{ end -}}
{{- if ne (dig "spec" "storageClassName" "" $claim) $asked.storageClass }}{{ $changed = append $changed "storageClass" }}{{ end -}}
{{- end -}}
{{- if $changed -}}
{{- fail (printf "mongodb.persistence.%s cannot change: the volumes of StatefulSet %s-mongodb are made (docs/kubernetes.md, What cannot change)" (join " and ." $changed) $full) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A quantity as a number, for 1024Mi is 1Gi. */}}
{{- define "cb.bytes" -}}
{{- $unit := regexFind "[A-Za-z]*$" . -}}
{{- $factor := index (dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0) $unit -}}
{{- printf "%.0f" (mulf (trimSuffix $unit . | float64) $factor) -}}
{{- end -}}
