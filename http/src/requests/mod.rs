//! Bodies of requests and small answers, shared with clients.

mod cleaning;
mod gateways;
mod people;
mod runs;
mod sandboxes;
mod secrets;
mod server;

pub use cleaning::{CleanAnswer, CleanRequest, CleanRow, CleanedRequest};
pub use gateways::{AnswerRequest, AnswersRequest, CallRequest, GatewayRequest, PreviewRequest};
pub use people::{LinkMade, Me, RoleRequest, SessionRequest, TokenMade, TokenRequest, TokenRow, UserRequest, UserRow};
pub use runs::{
    CancelRequest, DiscardRequest, PickRequest, Revealed, RevealedAttempt, RunAccepted, SynthesisAnswer,
    SynthesizeRequest,
};
pub use sandboxes::{ExecPiece, ExecRequest, ForkMade, ForkRequest, LimitBody, LimitUse, SandboxBody, SandboxesBody};
pub use secrets::{KeyRequest, LastUse, PassphraseRequest, SecretRequest, SecretRow, SecretsView, VaultAnswer};
pub use server::{EventsPage, Health};
