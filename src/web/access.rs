//! Who may do what, before there are names and keys.
//!
//! Rule: looking is free; changing is for programs on this machine, until the master is told otherwise. A page of a browser
//! is a program of somebody else: what it asks for in the name of another site is refused, and so is a name of ours that
//! only a forger of names would use.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::problem::Problem;
use super::{Changes, Desk};

/// Lets a request on, or refuses it.
pub async fn check<B: MessageBody>(
    desk: Data<Desk>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    may(request.request(), desk.changes)?;
    next.call(request).await
}

fn may(request: &HttpRequest, changes: Changes) -> Result<(), Problem> {
    let host = header(request, &HOST);
    let is_safe = request.method().is_safe();
    let is_ours = if is_safe { is_near } else { is_own };
    if !is_ours(name_in(host)) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!("{host:?} is no name of this master: ask by its address"),
        ));
    }
    if is_safe {
        return Ok(());
    }
    let origin = header(request, &ORIGIN);
    if !origin.is_empty() && origin.split_once("://").map(|(_, site)| site) != Some(host) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("a page of {origin} may not change anything here"),
        ));
    }
    let is_here = request
        .peer_addr()
        .is_some_and(|from| from.ip().to_canonical().is_loopback());
    if is_here || changes == Changes::FromAnywhere {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "changes over HTTP are taken from this machine only; to take them from all others too, start the master \
         with: mutirao master --open-api",
    ))
}

fn header<'a>(request: &'a HttpRequest, name: &HeaderName) -> &'a str {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Whether this may be a name of a machine of the local network: an address, a name without dots, or one of `.local`. One of
/// the wide world may have been made to point here by somebody else.
fn is_near(name: &str) -> bool {
    is_address(name) || !name.contains('.') || name.ends_with(".local")
}

/// Whether it is a name of this machine alone: who answers for the others of its network nobody can tell.
fn is_own(name: &str) -> bool {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let bare = name.strip_suffix(".local").unwrap_or(name);
    is_address(name) || name == "localhost" || bare.eq_ignore_ascii_case(&host)
}

fn is_address(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
}

/// The name in a `Host` header.
fn name_in(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn asked(method: actix_web::http::Method, from: &str, headers: &[(&str, &str)]) -> HttpRequest {
        let mut request = TestRequest::default()
            .method(method)
            .peer_addr(from.parse().unwrap());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        request.to_http_request()
    }

    fn status(request: &HttpRequest, changes: Changes) -> u16 {
        may(request, changes).map_or_else(|problem| problem.status, |()| 200)
    }

    #[test]
    fn anybody_may_look_and_programs_of_this_machine_may_change() {
        use actix_web::http::Method;
        let (here, there) = ("127.0.0.1:5", "10.0.0.7:5");
        let host = [("host", "10.0.0.1:50020")];
        assert_eq!(
            status(&asked(Method::GET, there, &host), Changes::FromHere),
            200
        );
        assert_eq!(
            status(&asked(Method::POST, here, &host), Changes::FromHere),
            200
        );
        assert_eq!(
            status(
                &asked(Method::POST, "[::ffff:127.0.0.1]:5", &host),
                Changes::FromHere
            ),
            200
        );
        assert_eq!(
            status(&asked(Method::POST, there, &host), Changes::FromHere),
            403
        );
        assert_eq!(
            status(&asked(Method::POST, there, &host), Changes::FromAnywhere),
            200
        );
    }

    #[test]
    fn pages_of_other_sites_change_nothing_whoever_looks_at_them() {
        use actix_web::http::Method;
        let page = |origin, host| {
            asked(
                Method::POST,
                "127.0.0.1:5",
                &[("host", host), ("origin", origin)],
            )
        };
        let own = page("http://localhost:50020", "localhost:50020");
        assert_eq!(status(&own, Changes::FromHere), 200);
        for origin in ["https://evil.example", "null", "http://localhost:1"] {
            assert_eq!(
                status(&page(origin, "localhost:50020"), Changes::FromAnywhere),
                403,
                "{origin}"
            );
        }
    }

    #[test]
    fn a_name_that_somebody_else_may_have_made_point_here_is_not_answered_to() {
        let near = [
            "",
            "localhost:1",
            "lab-3",
            "lab-3.local:50020",
            "10.0.0.1",
            "[::1]:50020",
        ];
        assert!(near.into_iter().all(|host| is_near(name_in(host))));
        for host in [
            "evil.example",
            "evil.example:50020",
            "10.0.0.1.evil.example",
        ] {
            assert!(!is_near(name_in(host)), "{host}");
        }
        let own = nix::unistd::gethostname().unwrap().into_string().unwrap();
        for host in [
            "localhost:1",
            "10.0.0.1:50020",
            "[::1]",
            &own,
            &format!("{own}.local:5"),
        ] {
            assert!(is_own(name_in(host)), "{host}");
        }
        for host in ["", "evil.local:50020", "evil"] {
            assert!(!is_own(name_in(host)), "{host}");
        }
    }
}
