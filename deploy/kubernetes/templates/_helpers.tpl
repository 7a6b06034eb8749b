{{/* What the AppHost knows: ports, arguments, variables, whom each component connects to. */}}
{{- define "hazumu.known" -}}
{{ .Files.Get "files/components.yaml" }}
{{- end }}

{{/*
Restores what a values file leaves empty, such as "ollama:" with nothing below it: Helm removes such a key together with its default.
Every template calls it first. Lists and free maps stay empty, so that null still removes a default there. defaults.yaml is a link to
values.yaml, which .Files does not have.
*/}}
{{- define "hazumu.values" -}}
{{- if not (.Files.Get "files/components.yaml") -}}
{{- fail "The chart has no folder 'files', which is generated: run ./hazumu publish in the checkout." -}}
{{- end -}}
{{- $defaults := .Files.Get "defaults.yaml" | fromYaml -}}
{{- if not (hasKey $defaults "ollama") -}}
{{- fail "defaults.yaml of the chart is not a copy of values.yaml: this checkout has no symbolic links. Copy values.yaml over defaults.yaml." -}}
{{- end -}}
{{- include "hazumu.restore" (dict "values" .Values "defaults" $defaults) -}}
{{- end }}

{{- define "hazumu.restore" -}}
{{- $free := list "affinity" "annotations" "commonAnnotations" "commonLabels" "environment" "nodeSelector" "pod" "pods" "resources" "service" "settings" -}}
{{- range $key, $default := .defaults -}}
{{- $given := get $.values $key -}}
{{- $isMap := and (kindIs "map" $default) (not (has $key $free)) -}}
{{- if or (not (hasKey $.values $key)) (kindIs "invalid" $given) -}}
{{- $empty := kindIs "slice" $default | ternary list (ternary dict $default (has $key $free)) -}}
{{- $_ := set $.values $key (deepCopy $empty) -}}
{{- else if $isMap -}}
{{- include "hazumu.restore" (dict "values" $given "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The beginning of all names, short enough for what controllers append, and a DNS label: a release's name may have dots and begin with a digit. */}}
{{- define "hazumu.fullname" -}}
{{- $name := .Values.fullnameOverride | default (contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name)) | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name -}}
{{- $name = printf "%s-%s" .Chart.Name $name -}}
{{- end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* The templates below take a dict: root, the chart's context; service, the component as the AppHost calls it. */}}

{{- define "hazumu.name" -}}
{{ include "hazumu.fullname" .root }}-{{ .service }}
{{- end }}

{{- define "hazumu.namespace" -}}
{{- if has .service (list "nodeexporter" "gpuexporter") -}}
{{ .root.Values.hostNamespace | default .root.Release.Namespace }}
{{- else -}}
{{ .root.Release.Namespace }}
{{- end -}}
{{- end }}

{{/* Whether a component is part of the release: "true", or nothing. */}}
{{- define "hazumu.enabled" -}}
{{- $values := index .root.Values .service -}}
{{- if has .service (list "loki" "alloy") -}}
{{- if .root.Values.logs.enabled -}}true{{- end -}}
{{- else if eq .service "valkey" -}}
{{- if or (gt (int .root.Values.gateway.replicas) 1) .root.Values.gateway.autoscaling.enabled -}}true{{- end -}}
{{- else if ne $values.enabled false -}}
{{- if or (ne .service "gpuexporter") (include "hazumu.gpuVendor" .root) -}}true{{- end -}}
{{- end -}}
{{- end }}

{{/* The engines that the release runs, as JSON: services by their kinds. With 0 replicas it runs none, unless those are scaled. */}}
{{- define "hazumu.engines" -}}
{{- $engines := dict -}}
{{- range $service, $component := (include "hazumu.known" . | fromYaml).components -}}
{{- $values := index $.Values $service | default dict -}}
{{- if and $component.engine (include "hazumu.enabled" (dict "root" $ "service" $service)) (or (gt (int $values.replicas) 0) ($values.autoscaling | default dict).enabled) -}}
{{- $_ := set $engines $service $component.engine -}}
{{- end -}}
{{- end -}}
{{- toJson $engines -}}
{{- end }}

{{/* Whose GPUs the engines ask for: nvidia, amd, or nothing. One exporter measures those of one vendor: Ollama's, where it has any. */}}
{{- define "hazumu.gpuVendor" -}}
{{- if ne .Values.ollama.gpu.vendor "none" -}}
{{ .Values.ollama.gpu.vendor }}
{{- else -}}
{{- range $engine := list .Values.llamaserver .Values.vllm | reverse -}}
{{- if $engine.enabled -}}
{{- regexFind "^(nvidia|amd)" $engine.gpu.resource -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Which of its exporters the GPU exporter is. */}}
{{- define "hazumu.gpuexporter" -}}
{{- if hasPrefix "amd" (include "hazumu.gpuVendor" .) }}amd{{ else }}{{ .Values.gpuexporter.nvidia }}{{ end -}}
{{- end }}

{{- define "hazumu.port" -}}
{{- $component := index (include "hazumu.known" .root | fromYaml).components .service -}}
{{- if $component.ports -}}
{{ index $component.ports (include "hazumu.gpuexporter" .root) }}
{{- else -}}
{{ $component.port }}
{{- end -}}
{{- end }}

{{/* The port on which gateways accept each other; the gateway's own default. */}}
{{- define "hazumu.clusterPort" -}}8082{{- end }}

{{/* The port for Prometheus and probes: the management port of what has one, else the only one. */}}
{{- define "hazumu.managementPort" -}}
{{- (index (include "hazumu.known" .root | fromYaml).components .service).management | default (include "hazumu.port" .) -}}
{{- end }}

{{- define "hazumu.image" -}}
{{- $image := index .root.Values.images .service -}}
{{- if eq .service "gpuexporter" -}}
{{- $image = index $image (include "hazumu.gpuexporter" .root) -}}
{{- end -}}
{{- if not $image.repository -}}
{{- fail (printf "images.%s.repository is not set: no registry has that image. Build and push it from the checkout (dotnet publish Hazumu.Gateway --os linux-musl -t:PublishContainer -p:ContainerRegistry=REGISTRY -p:ContainerRepository=hazumu-gateway -p:ContainerImageTag=TAG), and name it by images.%s.registry, repository and tag." .service .service) -}}
{{- end -}}
{{- /* AMD's is another image, with a tag and a digest of its own. */ -}}
{{- $rocm := and (eq .service "ollama") (eq .root.Values.ollama.gpu.vendor "amd") -}}
{{- $digest := ternary $image.rocmDigest $image.digest $rocm -}}
{{- if not (or $image.tag $digest) -}}
{{- fail (printf "images.%s has neither tag nor %s; name one of them." .service (ternary "rocmDigest" "digest" $rocm)) -}}
{{- end -}}
{{- with .root.Values.imageRegistry | default $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $digest }}@{{ $digest }}{{ else }}:{{ $image.tag }}{{ if and $rocm (not (hasSuffix "-rocm" $image.tag)) }}-rocm{{ end }}{{ end -}}
{{- end }}

{{- define "hazumu.selector" -}}
app.kubernetes.io/name: hazumu
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .service }}
{{- end }}

{{- define "hazumu.labels" -}}
{{ include "hazumu.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hazumu
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The labels that every container of the graph has, whoever runs it; no version, with which each release would restart all pods. */}}
{{- define "hazumu.podLabels" -}}
{{ include "hazumu.selector" . }}
app.kubernetes.io/part-of: hazumu
hazumu.service: {{ .service }}
hazumu.instance: {{ .service }}
{{- with (index (include "hazumu.known" .root | fromYaml).components .service).engine }}
hazumu.engine: {{ . }}
{{- end }}
hazumu.network: {{ (include "hazumu.known" .root | fromYaml).network }}
{{- end }}

{{- define "hazumu.metadata" -}}
name: {{ include "hazumu.name" . }}
namespace: {{ include "hazumu.namespace" . | quote }}
labels:
  {{- include "hazumu.labels" . | nindent 2 }}
{{- end }}

{{/* What all pods have in common; user is the number that the programs run as, token whether they talk to the API server. */}}
{{- define "hazumu.pod" -}}
{{- $values := index .root.Values .service -}}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  # A claim of many files is not gone through at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "hazumu.container" -}}
image: {{ include "hazumu.image" . | quote }}
imagePullPolicy: {{ .root.Values.imagePullPolicy }}
securityContext:
  {{- include "hazumu.confined" . | nindent 2 }}
{{- end }}

{{- define "hazumu.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Variables: the chart's, in own; the AppHost's; the user's, which win. */}}
{{- define "hazumu.environment" -}}
{{- $component := index (include "hazumu.known" .root | fromYaml).components .service -}}
{{- $values := index .root.Values .service -}}
{{- range $name, $value := mergeOverwrite (dict) ($component.environment | default dict) (.own | default dict) ($values.environment | default dict) }}
- name: {{ $name }}
  value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end }}

{{/* An argument list of the AppHost's. */}}
{{- define "hazumu.args" -}}
{{ (index (include "hazumu.known" .root | fromYaml).components .service).args | toYaml }}
{{- end }}

{{- define "hazumu.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "hazumu.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "hazumu.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ include "hazumu.port" . }}
      targetPort: http
{{- end }}

{{/* A configuration folder: a ConfigMap's data, and the paths that a volume gives it, but for the file "except". No key of a ConfigMap has a slash. */}}
{{- define "hazumu.folder.data" -}}
{{- range $path, $_ := .root.Files.Glob (printf "%s/**" .folder) }}
{{ $path | trimPrefix (printf "%s/" $.folder) | replace "/" "__" }}: |
  {{- $.root.Files.Get $path | nindent 2 }}
{{- end }}
{{- end }}

{{- define "hazumu.folder.items" -}}
{{- range $path, $_ := .root.Files.Glob (printf "%s/**" .folder) }}
{{- if ne ($path | trimPrefix (printf "%s/" $.folder)) (default "" $.except) }}
- key: {{ $path | trimPrefix (printf "%s/" $.folder) | replace "/" "__" }}
  path: {{ $path | trimPrefix (printf "%s/" $.folder) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "hazumu.claim" -}}
- metadata:
    name: data
    labels:
      {{- include "hazumu.selector" . | nindent 6 }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storage.className }}
    storageClassName: {{ eq . "-" | ternary "" . | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .storage.size }}
{{- end }}

{{/* Grafana's public address: as set, or as it is routed. */}}
{{- define "hazumu.grafana.url" -}}
{{- if .Values.grafana.externalUrl -}}
{{ .Values.grafana.externalUrl | trimSuffix "/" }}
{{- else if and .Values.ingress.enabled .Values.ingress.grafana.host -}}
https://{{ .Values.ingress.grafana.host }}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.grafana.hostnames -}}
https://{{ first .Values.httpRoute.grafana.hostnames }}
{{- end -}}
{{- end }}

{{/*
An engine that serves one model: replicas, which the gateway knows by their names, a headless Service, and a disruption budget. Beside root, service
and user it takes own, its variables; args; mounts and volumes; claim, whether each replica has one.
*/}}
{{- define "hazumu.engine" -}}
{{- $values := index .root.Values .service -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "hazumu.metadata" . | nindent 2 }}
spec:
  replicas: {{ $values.replicas }}
  serviceName: {{ include "hazumu.name" . }}
  # Replicas know nothing of each other.
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "hazumu.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "hazumu.podLabels" . | nindent 8 }}
    spec:
      {{- include "hazumu.pod" . | nindent 6 }}
      {{- with $values.gpu.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "hazumu.selector" . | nindent 14 }}
      containers:
        - name: {{ .service }}
          {{- include "hazumu.container" . | nindent 10 }}
          args:
            {{- concat (index (include "hazumu.known" .root | fromYaml).components .service).args (.args | default list) $values.args | toYaml | nindent 12 }}
          env:
            {{- include "hazumu.environment" . | nindent 12 }}
          ports:
            - name: http
              containerPort: {{ include "hazumu.port" . }}
          resources:
            {{- $resources := deepCopy $values.resources }}
            {{- with $values.gpu.resource }}
            {{- $resources = merge (dict "limits" (dict . $values.gpu.count)) $resources }}
            {{- end }}
            {{- toYaml $resources | nindent 12 }}
          # It answers once its model is loaded, before which nothing may be sent to it.
          startupProbe:
            httpGet: { path: /health, port: http }
            periodSeconds: 5
            failureThreshold: {{ div (add $values.startWithin 4) 5 }}
          readinessProbe:
            httpGet: { path: /health, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
          # Only a process that hangs for minutes is restarted: that throws away what is in the GPU's memory.
          livenessProbe:
            httpGet: { path: /health, port: http }
            periodSeconds: 20
            timeoutSeconds: 10
            failureThreshold: 9
          volumeMounts:
            {{- append .mounts (dict "name" "tmp" "mountPath" "/tmp") | toYaml | nindent 12 }}
      volumes:
        {{- append .volumes (dict "name" "tmp" "emptyDir" dict) | toYaml | nindent 8 }}
  {{- if .claim }}
  volumeClaimTemplates:
    {{- include "hazumu.claim" (merge (dict "storage" $values.storage) .) | nindent 4 }}
  {{- end }}
---
# Headless: the gateway chooses the replica, by its name.
{{ include "hazumu.service" . }}
  clusterIP: None
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "hazumu.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ $values.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "hazumu.selector" . | nindent 6 }}
{{- end }}

{{/*
The objects of a component, with what values add to them: commonLabels and commonAnnotations to each, pods and COMPONENT.pod to its pods,
COMPONENT.service to its Service, serviceAccount to its ServiceAccount. Without any of these they are as the template writes them.
*/}}
{{- define "hazumu.objects" -}}
{{- $text := include (printf "hazumu.objects.%s" .service) .root -}}
{{- include "hazumu.adjusted" (merge (dict "text" $text) .) -}}
{{- end }}

{{- define "hazumu.adjusted" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .service | default dict -}}
{{- $metadata := dict "labels" $values.commonLabels "annotations" $values.commonAnnotations -}}
{{- $pods := dict "options" (list $values.pods ($own.pod | default dict)) "service" .service -}}
{{- $service := $own.service | default dict -}}
{{- $storage := $own.storage | default dict -}}
{{- range $index, $document := splitList "\n---\n" .text -}}
{{- if trim $document }}
{{- $object := fromYaml $document -}}
{{- if hasKey $object "Error" }}{{ fail $object.Error }}{{ end -}}
{{- $before := toYaml $object -}}
{{- include "hazumu.merge" (dict "into" $object "from" (dict "metadata" $metadata)) -}}
{{- if has $object.kind (list "Deployment" "StatefulSet" "DaemonSet" "Job") -}}
{{- include "hazumu.podOptions" (merge (dict "object" $object) $pods) -}}
{{- include "hazumu.storage" (dict "object" $object "storage" $storage) -}}
{{- else if eq $object.kind "Service" -}}
{{- include "hazumu.merge" (dict "into" $object "from" (deepCopy (dict "metadata" (dict "annotations" ($service.annotations | default dict)) "spec" ($service.spec | default dict)))) -}}
{{- else if eq $object.kind "ServiceAccount" -}}
{{- include "hazumu.merge" (dict "into" $object "from" (dict "metadata" (dict "annotations" $values.serviceAccount.annotations))) -}}
{{- end -}}
{{- if $index }}
---
{{ end -}}
{{- $after := toYaml $object -}}
{{- eq $before $after | ternary $document $after }}
{{- end }}
{{- end }}
{{- end }}

{{/* Adds options to the pods of a workload. Its own container is the first. */}}
{{- define "hazumu.podOptions" -}}
{{- $template := .object.spec.template -}}
{{/* Copies: what is merged into one component must not reach the next. */}}
{{- range deepCopy .options -}}
{{- $container := dict "name" (first $template.spec.containers).name -}}
{{- include "hazumu.merge" (dict "into" $container "from" (.container | default dict)) -}}
{{- if ne $.object.kind "Job" -}}
{{- include "hazumu.merge" (dict "into" $.object.spec "from" (.workload | default dict)) -}}
{{- end -}}
{{- include "hazumu.merge" (dict "into" $template "from" (dict "metadata" (dict "labels" (.labels | default dict) "annotations" (.annotations | default dict)) "spec" (.spec | default dict))) -}}
{{- include "hazumu.merge" (dict "into" $template "from" (dict "spec" (dict "containers" (list $container)))) -}}
{{- end -}}
{{- end }}

{{/* A claim that exists, or an emptyDir, in place of the claim of a StatefulSet; access modes and annotations of that. */}}
{{- define "hazumu.storage" -}}
{{- if .object.spec.volumeClaimTemplates -}}
{{- $claim := first .object.spec.volumeClaimTemplates -}}
{{- if or .storage.existingClaim .storage.emptyDir -}}
{{- $_ := unset .object.spec "volumeClaimTemplates" -}}
{{- $volume := dict "name" $claim.metadata.name -}}
{{- if .storage.existingClaim -}}
{{- $_ := set $volume "persistentVolumeClaim" (dict "claimName" .storage.existingClaim) -}}
{{- else -}}
{{- $_ := set $volume "emptyDir" (dict "sizeLimit" .storage.size) -}}
{{- end -}}
{{- $spec := .object.spec.template.spec -}}
{{- $_ := set $spec "volumes" (append ($spec.volumes | default list) $volume) -}}
{{- else -}}
{{- include "hazumu.merge" (dict "into" $claim "from" (dict "metadata" (dict "annotations" (.storage.annotations | default dict)))) -}}
{{- with .storage.accessModes }}{{ $_ := set $claim.spec "accessModes" . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
Merges maps: null removes a key. Of lists whose items have a name, an item of the same name is merged and any other added; other lists are
appended.
*/}}
{{- define "hazumu.merge" -}}
{{- range $key, $value := .from -}}
{{- $old := get $.into $key -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $.into $key -}}
{{- else if kindIs "map" $value -}}
{{- if and (hasKey $.into $key) (kindIs "map" $old) -}}
{{- include "hazumu.merge" (dict "into" $old "from" $value) -}}
{{- else if $value -}}
{{- $new := dict -}}
{{- include "hazumu.merge" (dict "into" $new "from" $value) -}}
{{- if $new }}{{ $_ := set $.into $key $new }}{{ end -}}
{{- end -}}
{{- else if and (kindIs "slice" $value) (kindIs "slice" $old) -}}
{{- $items := $old -}}
{{- range $item := $value -}}
{{- $same := false -}}
{{- range $items -}}
{{- if and (kindIs "map" .) (kindIs "map" $item) $item.name (eq (toString .name) (toString $item.name)) -}}
{{- include "hazumu.merge" (dict "into" . "from" $item) -}}
{{- $same = true -}}
{{- end -}}
{{- end -}}
{{- if not $same }}{{ $items = append $items $item }}{{ end -}}
{{- end -}}
{{- $_ := set $.into $key $items -}}
{{- else -}}
{{- $_ := set $.into $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}
