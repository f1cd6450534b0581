<?php
declare(strict_types=1);

/** What a visitor asked for can't be; the code is the status of the answer. */
final class Refused extends Exception
{
}
