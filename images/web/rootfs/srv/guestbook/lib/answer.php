<?php
declare(strict_types=1);

/** Ends the request with JSON. */
function answer(int $status, array $body): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    exit(json_encode($body, JSON_UNESCAPED_SLASHES) . "\n");
}
