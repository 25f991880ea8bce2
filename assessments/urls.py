"""Pages of assessments."""

from django.urls import path

from assessments.pages import (
    code,
    compare,
    compliance,
    costs,
    findings,
    inventory,
    overview,
    parts,
    pipelines,
    price_book,
    storage,
    versions,
    views,
)

urlpatterns = [
    path("assessments/", overview.assessments, name="assessments"),
    path("assessments/new/", views.new_assessment, name="new_assessment"),
    path("assessments/find/", storage.find, name="find_assessments"),
    path("assessments/sample/", views.try_sample, name="try_sample"),
    path("assessments/<uuid:assessment_id>/", views.assessment, name="assessment"),
    path("assessments/<uuid:assessment_id>/edit/", overview.edit, name="edit_assessment"),
    path("assessments/<uuid:assessment_id>/delete/", storage.delete, name="delete_assessment"),
    path("assessments/<uuid:assessment_id>/analyze/", views.analyze, name="analyze"),
    path("assessments/<uuid:assessment_id>/requirements/", views.requirements, name="requirements"),
    path(
        "assessments/<uuid:assessment_id>/versions/new/", versions.new_version, name="new_version"
    ),
    path("runs/<uuid:run_id>/compare/", compare.compare, name="compare_runs"),
    path("assessments/<uuid:assessment_id>/runs/<int:number>/", views.run, name="run"),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/answers/<slug:agent>/",
        views.answer,
        name="answer",
    ),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/reports/",
        views.make_report,
        name="make_report",
    ),
    path("assessments/<uuid:assessment_id>/runs/<int:number>/map/", views.run_map, name="run_map"),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/map.svg",
        views.run_map_svg,
        name="run_map_svg",
    ),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/findings/",
        findings.run_findings,
        name="run_findings",
    ),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/inventory/",
        inventory.inventory,
        name="run_inventory",
    ),
    path("assessments/<uuid:assessment_id>/runs/<int:number>/code/", code.code, name="run_code"),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/parts/", parts.parts, name="run_parts"
    ),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/compliance/",
        compliance.compliance,
        name="run_compliance",
    ),
    path(
        "assessments/<uuid:assessment_id>/runs/<int:number>/compliance.csv",
        compliance.export,
        name="run_compliance_csv",
    ),
    path("assessments/<uuid:assessment_id>/runs/<int:number>/cost/", costs.costs, name="run_costs"),
    path("findings/", findings.findings, name="findings"),
    path("findings/change/", findings.change, name="change_findings"),
    path("findings.csv", findings.export, {"format": "csv"}, name="findings_csv"),
    path("findings.json", findings.export, {"format": "json"}, name="findings_json"),
    path("findings/<uuid:finding_id>/", views.finding, name="finding"),
    path("findings/<uuid:finding_id>/mute/", views.mute, name="mute_finding"),
    path("findings/<uuid:finding_id>/unmute/", views.unmute, name="unmute_finding"),
    path("recommendations/", views.recommendations, name="recommendations"),
    path("price-book/", price_book.price_book, name="price_book"),
    path("price-book/file/", price_book.download, name="price_book_file"),
    path("price-book/delete/", price_book.delete, name="delete_price_book"),
    path("price-book/recalculate/", price_book.recalculate_all, name="recalculate_all"),
    path("pipelines/", pipelines.pipelines, name="pipelines"),
    path(
        "recommendations/<uuid:recommendation_id>/",
        views.recommendation,
        name="recommendation",
    ),
    path(
        "recommendations/<uuid:recommendation_id>/decide/",
        views.decide,
        name="decide_recommendation",
    ),
    path("reports/", views.reports, name="reports"),
    path("reports/<uuid:report_id>/delete/", storage.delete_report, name="delete_report"),
    path("reports/<uuid:report_id>/", views.download_report, name="download_report"),
    path("runs/<uuid:task_id>/", views.task_page, name="task_page"),
]
