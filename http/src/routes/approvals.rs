//! Approvals: what agents ask, and people's answers to it. Nothing is decided here.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use regatta_core::event::approval::Answered;
use regatta_core::{ApprovalId, Refusal};
use regatta_projections::approvals::{ApprovalView, ApprovalsView};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, Moment, look};
use super::{Body, Caller, json, seen};
use crate::requests::{AnswerRequest, AnswersRequest};
use crate::{Plane, Problem};

/// Longest id, in characters; what is longer is none.
const ID_CHARS_MAX: usize = 128;
/// Questions named when the beginning of an id fits several.
const CANDIDATES_MAX: usize = 5;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(answer)).routes(routes!(answer_all))
}

/// Which questions, and of which moment.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ApprovalsQuery {
    /// An event's number or a time (RFC 3339): the view as it was then. Now, when absent.
    as_of: Option<String>,
    /// Also the latest of those that are over.
    #[serde(default)]
    over: bool,
}

/// Lists what agents ask, the longest waiting first.
#[utoipa::path(get, path = "/approvals", operation_id = "listApprovals", tag = "approvals", params(ApprovalsQuery),
    responses((status = 200, description = "The questions.", body = ApprovalsView)))]
async fn list(State(plane): State<Plane>, asked: Asked<ApprovalsQuery>) -> Result<Json<ApprovalsView>, Problem> {
    let Query(ApprovalsQuery { as_of, over }) = asked?;
    look(&plane, Moment::parse(as_of.as_deref())?, move |views, _| views.approvals.view(over)).await.map(Json)
}

/// Answers a question. The first answer wins; whoever comes late is told who answered, what and when.
#[utoipa::path(post, path = "/approvals/{approval}/answer", operation_id = "answerApproval", tag = "approvals",
    params(("approval" = String, Path, description = "Its id, or the beginning of one.",
        example = "main.a734987a-e5f9-4cc1-9920-e234a03b6053")), request_body = AnswerRequest,
    responses((status = 200, description = "The gateway took it.", body = ApprovalView)))]
async fn answer(
    State(plane): State<Plane>,
    Path(approval): Path<String>,
    caller: Caller,
    body: Body,
) -> Result<Json<ApprovalView>, Problem> {
    let AnswerRequest { decision, note } = json(body)?;
    let id = found(&plane, approval).await?;
    plane.gateways.answer(Answered { approval: id.clone(), decision, note }, &caller.actor).await?;
    seen(&plane).await;
    let wanted = id.clone();
    let view = look(&plane, None, move |views, _| views.approvals.get(&wanted)).await?;
    view.map(Json).ok_or_else(|| none(&id.to_string()))
}

/// What came of answering several questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswersBody {
    /// One for each question, by its id.
    pub rows: Vec<AnswerOutcome>,
}

/// What came of answering one of several questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerOutcome {
    /// The question.
    pub approval: ApprovalId,
    /// Why the gateway did not take the answer; nothing when it did.
    pub problem: Option<String>,
}

/// Gives one answer to the identical question of several attempts of one run: same command, words, host and warnings, same
/// folder and program but for the attempt's own. Each is answered by itself, and what came of each is said.
#[utoipa::path(post, path = "/approvals/answers", operation_id = "answerApprovals", tag = "approvals",
    request_body = AnswersRequest,
    responses((status = 200, description = "What came of each.", body = AnswersBody)))]
async fn answer_all(State(plane): State<Plane>, caller: Caller, body: Body) -> Result<Json<AnswersBody>, Problem> {
    let AnswersRequest { approvals, decision, note } = json(body)?;
    let outcomes = plane.gateways.answer_all(approvals, (decision, note), &caller.actor).await?;
    seen(&plane).await;
    let outcome = |(approval, outcome): (ApprovalId, Result<(), Refusal>)| AnswerOutcome {
        approval,
        problem: outcome.err().map(|refusal| refusal.message),
    };
    Ok(Json(AnswersBody { rows: outcomes.into_iter().map(outcome).collect() }))
}

async fn found(plane: &Plane, text: String) -> Result<ApprovalId, Problem> {
    if text.chars().nth(ID_CHARS_MAX).is_some() {
        return Err(none(&text));
    }
    let asked = text.clone();
    let found = look(plane, None, move |views, _| views.approvals.named(&asked)).await?;
    match found.as_slice() {
        [] => Err(none(&text)),
        [only] => Ok(only.clone()),
        several => {
            let named: Vec<String> = several.iter().take(CANDIDATES_MAX).map(ToString::to_string).collect();
            Err(Problem::new(StatusCode::BAD_REQUEST, "ambiguous", format!("several questions begin with {text:?}"))
                .hint(format!("write more of it: {}", named.join(", "))))
        }
    }
}

fn none(text: &str) -> Problem {
    let named: String = text.chars().take(ID_CHARS_MAX).collect();
    Problem::not_found(format!("there is no question {named:?}")).hint("`regatta approvals` lists the open ones")
}
