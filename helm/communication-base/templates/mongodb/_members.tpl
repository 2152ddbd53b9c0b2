{{- define "cb.mongodbMembers" -}}
{{- $full := include "cb.fullname" . -}}
{{- $hosts := list -}}
{{- range $n := until 3 -}}
{{- $hosts = append $hosts (printf "%s-mongodb-%d.%s-mongodb.%s.svc.%s:27017" $full $n $full $.Release.Namespace $.Values.mongodb.clusterDomain) -}}
{{- end -}}
{{- join "," $hosts -}}
{{- end -}}
