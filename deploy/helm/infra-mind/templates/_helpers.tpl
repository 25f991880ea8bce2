{{- define "im.name" -}}{{ .Release.Name }}-{{ .part }}{{- end }}

{{- define "im.labels" -}}
app.kubernetes.io/name: infra-mind
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "im.meta" -}}
name: {{ include "im.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "im.labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The pod of one process: .part, .command, .resources, and .probes or none. */}}
{{- define "im.pod" -}}
metadata:
  labels:
    {{- include "im.labels" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30 # above the workers' soft shutdown of 20 s
  {{- if .restartPolicy }}
  restartPolicy: {{ .restartPolicy }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  {{- if not .restartPolicy }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "im.labels" . | nindent 10 }}
  {{- end }}
  containers:
    - name: {{ .part }}
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: {{ .command | toJson }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
        seccompProfile: { type: RuntimeDefault }
      env:
        - { name: ALLOWED_HOSTS, value: {{ .Values.host | quote }} }
        - { name: HTTPS, value: "1" }
        - { name: TRUSTED_PROXIES, value: {{ .Values.ingress.trustedProxies | quote }} }
        {{- range $name, $value := .Values.settings }}
        - { name: {{ $name }}, value: {{ $value | quote }} }
        {{- end }}
        - { name: SECRETS_DIR, value: /run/secrets/infra-mind }
      {{- if eq .part "web" }}
      ports:
        - { name: http, containerPort: 8000 }
      {{- end }}
      {{- with .probes }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
        - { name: secrets, mountPath: /run/secrets/infra-mind, readOnly: true }
  volumes: # nothing in them lasts: everything that does is in PostgreSQL
    - name: data
      emptyDir: { sizeLimit: 1Gi }
    - name: tmp
      emptyDir: { sizeLimit: 4Gi }
    - name: secrets
      secret: { secretName: {{ .Values.secret }}, defaultMode: 0440 }
{{- end }}

{{/* The probes of a process that asks itself: .process */}}
{{- define "im.selfprobe" -}}
startupProbe:
  exec: { command: [python, -m, infra_mind.health, {{ . }}] }
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 24
livenessProbe:
  exec: { command: [python, -m, infra_mind.health, {{ . }}] }
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 4 # a worker that waits for its broker is not killed at once
readinessProbe:
  exec: { command: [python, -m, infra_mind.health, {{ . }}] }
  periodSeconds: 30
  timeoutSeconds: 10
{{- end }}

{{- define "im.webprobes" -}}
startupProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 4
readinessProbe:
  httpGet: { path: /health/serving, port: http }
  periodSeconds: 5
  timeoutSeconds: 5
lifecycle: # let the endpoints forget this pod before it stops listening
  preStop: { sleep: { seconds: 5 } }
{{- end }}
