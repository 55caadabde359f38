//! Rules: answers that people give in advance, and what they would have answered. Nothing is decided here.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use regatta_core::RuleName;
use regatta_core::event::rule::{KnownRule, Rule};
use regatta_federation::rules;
use regatta_projections::Views;
use regatta_projections::approvals::ApprovalView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::look;
use super::{Body, Caller, id, json, seen};
use crate::requests::PreviewRequest;
use crate::{Plane, Problem};

/// Most questions shown of those a rule would have answered.
const SHOWN_MAX: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove)).routes(routes!(preview))
}

/// Every rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulesBody {
    /// The oldest first. One that denies goes before one that allows; of each sort the oldest that fits answers.
    pub rows: Vec<KnownRule>,
}

/// What a rule would have answered, were it the only one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulePreview {
    /// How many questions were looked at: every one that is open, and the latest of those that are over.
    pub of: u64,
    /// How many of them it is about.
    pub count: u64,
    /// The latest of those, with what became of each.
    pub rows: Vec<ApprovalView>,
}

/// Lists the rules that answer agents' questions in advance.
#[utoipa::path(get, path = "/approvals/rules", operation_id = "listRules", tag = "approvals",
    responses((status = 200, description = "The oldest first.", body = RulesBody)))]
async fn list(State(plane): State<Plane>) -> Json<RulesBody> {
    Json(RulesBody { rows: plane.gateways.rules().all() })
}

/// Adds a rule. It answers from now on, and what is open now.
#[utoipa::path(post, path = "/approvals/rules", operation_id = "addRule", tag = "approvals", request_body = Rule,
    responses((status = 201, description = "It answers.", body = RulesBody)))]
async fn add(State(plane): State<Plane>, caller: Caller, body: Body) -> Result<(StatusCode, Json<RulesBody>), Problem> {
    plane.gateways.rules().add(json(body)?, &caller.actor).await?;
    seen(&plane).await;
    Ok((StatusCode::CREATED, list(State(plane)).await))
}

/// Removes a rule. What it answered stays answered.
#[utoipa::path(delete, path = "/approvals/rules/{rule}", operation_id = "removeRule", tag = "approvals",
    params(("rule" = String, Path, description = "Its name.", example = "builds")),
    responses((status = 204, description = "It answers no more.")))]
async fn remove(State(plane): State<Plane>, Path(rule): Path<String>, caller: Caller) -> Result<StatusCode, Problem> {
    let rule: RuleName = id(&rule)?;
    plane.gateways.rules().remove(&rule, &caller.actor).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Says which questions a rule would have answered. Changes nothing.
#[utoipa::path(post, path = "/approvals/rules/preview", operation_id = "previewRule", tag = "approvals",
    request_body = PreviewRequest,
    responses((status = 200, description = "What it is about.", body = RulePreview)))]
async fn preview(State(plane): State<Plane>, body: Body) -> Result<Json<RulePreview>, Problem> {
    let PreviewRequest { answer, scope } = json(body)?;
    rules::check(answer, &scope)?;
    let preview = move |views: &Views, _| {
        let all = views.approvals.view(true);
        let of = (all.open.len() + all.over.len()) as u64;
        let answers = |asked: &ApprovalView| {
            asked.decisions.contains(&answer.decision())
                && rules::is_about(answer, &scope, &asked.gateway, &asked.question)
        };
        let mut rows: Vec<ApprovalView> = all.open.into_iter().rev().chain(all.over).filter(answers).collect();
        let count = rows.len() as u64;
        rows.truncate(SHOWN_MAX);
        RulePreview { of, count, rows }
    };
    look(&plane, None, preview).await.map(Json)
}
