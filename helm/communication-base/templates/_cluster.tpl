{{/* "yes" where Helm sees a cluster, which `helm template` and Argo CD never do. A namespace that Helm is about to make is still empty. */}}
{{- define "cb.seesCluster" -}}
{{- if lookup "v1" "ServiceAccount" .Release.Namespace "default" }}yes{{ else if lookup "v1" "Namespace" "" "kube-system" }}yes{{ end -}}
{{- end -}}

{{/*
A password in base64: that of the Secret that is there, else a new random one. Data keeps the one it was made with, so where a new one might
lock its users out it is refused. `setting`: the value that names a Secret of one's own; `data`: the object that stands for the data.
*/}}
{{- define "cb.kept" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret | default dict -}}
{{- $kept := dig "data" .key "" $found -}}
{{- if $kept -}}
{{- $kept -}}
{{- else if $found -}}
{{- fail (printf "Secret %s has no key %q any more: put it back, a new one would not open the data that was made with the old one" .secret .key) -}}
{{- else if not (include "cb.seesCluster" .root) -}}
{{- fail (printf "%s is not set, and there is no cluster to look at (helm template, Argo CD, --dry-run=client): each rendering would bring other passwords, and lock out the users of before. Make a Secret and name it in %s (docs/kubernetes.md, GitOps)" .setting .setting) -}}
{{- else if lookup .data.apiVersion .data.kind .root.Release.Namespace .data.name -}}
{{- fail (printf "%s %s is there, but Secret %s with its passwords is not, and new ones would not open its data: put the Secret back, name it in %s, or delete the data" .data.kind .data.name .secret .setting) -}}
{{- else -}}
{{- randAlphaNum (int .length) | b64enc -}}
{{- end -}}
{{- end -}}

{{/*
Worker Pods while an autoscaler decides: as many as there are, for without a number Kubernetes takes 1 when `replicaCount` goes. Nothing
where no cluster is seen: there each rendering would undo what the autoscaler did.
*/}}
{{- define "cb.replicas" -}}
{{- $auto := .Values.autoscaling -}}
{{- if not $auto.enabled -}}
{{- .Values.replicaCount -}}
{{- else -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "cb.fullname" .) | default dict -}}
{{- if or $live (include "cb.seesCluster" .) -}}
{{- min (max (int (dig "spec" "replicas" 0 $live)) (int $auto.minReplicas)) (int $auto.maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "yes" where the MongoDB that comes with the release is there already, with the Secret that leads to it. */}}
{{- define "cb.mongodbIsThere" -}}
{{- $way := include "cb.mongodb" . -}}
{{- $name := printf "%s-mongodb" (include "cb.fullname" .) -}}
{{- if eq $way "embedded" -}}
{{- if lookup "apps/v1" "StatefulSet" .Release.Namespace $name }}yes{{ end -}}
{{- else if eq $way "operator" -}}
{{- if lookup "v1" "Secret" .Release.Namespace (printf "%s-connection" $name) -}}
{{- if lookup "mongodbcommunity.mongodb.com/v1" "MongoDBCommunity" .Release.Namespace $name }}yes{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
